"""Deciding what bank lines stand for: suggested by rules, confirmed, dismissed, made by hand, questioned, undone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from habitat.controls.actions.alerts import resolve_cause
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import plain
from treasury import locks
from treasury.actions import bank, bank_entries, bills, refunds
from treasury.errors import (
    DepositBooked,
    LineNotPosted,
    LineTaken,
    MatchInWrongState,
    MatchKindWrong,
    MatchOutOfDate,
    SumsDiffer,
    TargetTaken,
    TargetUnknown,
)
from treasury.events import BankMatchConfirmed, BankMatchUndone
from treasury.models import BankLine, BankMatch, BankMatchLine, BankMatchTarget, Bill, JournalEntry, Refund
from treasury.policies import matching
from treasury.policies.bank import (
    BILL_ACCOUNTS,
    EXPLAINED,
    HOLDING,
    BillKind,
    MatchKind,
    MatchState,
    TargetKind,
    is_posted,
    sums_agree,
)
from treasury.policies.matching import Suggestion, Target, digest_of
from treasury.reports import bank as reports

MANUAL: Final = "manual"
ZERO: Final = Decimal(0)
# Which facts a person may name for each kind.
_TARGETS: Final[dict[MatchKind, frozenset[TargetKind]]] = {
    MatchKind.PAYOUT: frozenset({TargetKind.PAYOUT}),
    MatchKind.STRIPE_DEBIT: frozenset({TargetKind.PAYOUT}),
    MatchKind.REFUND: frozenset({TargetKind.REFUND}),
    MatchKind.BILL: frozenset({TargetKind.BILL}),
    MatchKind.TAX: frozenset({TargetKind.BILL}),
    MatchKind.TRANSFER: frozenset({TargetKind.ACCOUNT}),
    MatchKind.INTEREST: frozenset({TargetKind.ACCOUNT}),
    MatchKind.DUPLICATE: frozenset({TargetKind.LINE}),
    MatchKind.IGNORED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """A match's lines, locked, and what they stand for."""

    lines: list[BankLine]
    targets: list[Target]

    @property
    def posted_at(self) -> datetime:
        return max(line.current.posted_at for line in self.lines if line.current and line.current.posted_at)


# --- rules


@transaction.atomic
def suggest(*, acting: Actor) -> list[BankMatch]:
    """Store what the rules see now and nobody was told yet.

    What was suggested once, also when it was dismissed or undone, is not suggested again. Raises NotAllowed.
    """
    require(acting, "treasury.read_bank")
    facts = [reports.line_fact(line) for line in reports.waiting_lines()]
    if not facts:
        return []
    found = matching.suggest(
        lines=facts,
        payouts=reports.open_payouts(),
        bills=reports.open_bills(),
        refunds=reports.open_refunds(),
    )
    waiting = {fact.id for fact in facts}
    repeated = [one for one in matching.duplicates(reports.lines_of_days(facts)) if set(one.line_ids) <= waiting]
    told = _told([*found, *repeated])
    made = []
    for suggestion in [*found, *repeated]:
        if suggestion.digest in told:
            continue
        told.add(suggestion.digest)
        made.append(_make(suggestion, acting))
    return made


def _told(suggestions: Sequence[Suggestion]) -> set[str]:
    digests = [one.digest for one in suggestions]
    return set(BankMatch.objects.filter(digest__in=digests).values_list("digest", flat=True))


@transaction.atomic
def settle_questions(*, acting: Actor) -> list[BankMatch]:
    """Questioned matches whose lines say again what they said: confirmed as before. Raises NotAllowed."""
    require(acting, "treasury.read_bank")
    return [_uphold(match, acting) for match in list(reports.questioned().order_by("pk")) if _agrees_again(match)]


@transaction.atomic
def confirm_certain(*, match: BankMatch, acting: Actor) -> BankMatch:
    """What names its pay-out and equals it needs nobody. Raises NotAllowed, MatchKindWrong and what `confirm` does."""
    require(acting, "treasury.read_bank")
    if match.rule != matching.CERTAIN:
        raise MatchKindWrong(why="only a line that names its pay-out confirms itself")
    return _confirm(match, reason=match.why, acting=acting)


# --- decisions


@transaction.atomic
def confirm(*, match: BankMatch, reason: str, acting: Actor) -> BankMatch:
    """The lines stand for the facts: what domain §6 says is posted.

    Raises NotAllowed, ReasonRequired, MatchInWrongState, LineNotPosted, MatchOutOfDate, LineTaken, TargetTaken,
    SumsDiffer, NoPeriod.
    """
    require(acting, "treasury.match_bank")
    return _confirm(match, reason=require_reason(reason), acting=acting)


@transaction.atomic
def dismiss(*, match: BankMatch, reason: str, acting: Actor) -> BankMatch:
    """The rule was wrong. Raises NotAllowed, ReasonRequired, MatchInWrongState."""
    require(acting, "treasury.match_bank")
    reason = require_reason(reason)
    row = _in_state(locks.bank_match(match.pk), MatchState.SUGGESTED)
    row.dismiss()
    return _decided(row, reason, acting)


@transaction.atomic
def match_by_hand(
    *,
    kind: MatchKind,
    lines: Sequence[BankLine],
    targets: Sequence[Target],
    reason: str,
    idempotency_key: str,
    acting: Actor,
) -> BankMatch:
    """A person's own match: one line or several for one fact or several, equal to the last digit.

    The same key gives the first match back. Raises NotAllowed, ReasonRequired, MatchKindWrong, TargetUnknown and what
    `confirm` raises.
    """
    require(acting, "treasury.match_bank")
    reason = require_reason(reason)
    digest = digest_of(kind, [line.pk for line in lines], targets, nonce=idempotency_key)
    earlier = BankMatch.objects.filter(digest=digest).first()
    if earlier is not None:
        return earlier
    _check_kind(kind, lines, targets)
    why = f"Matched by hand by {acting.name}."
    ids = tuple(sorted({line.pk for line in lines}))
    made = _make(Suggestion(kind, ids, tuple(targets), MANUAL, 100, why), acting, digest=digest)
    return _confirm(made, reason=reason, acting=acting)


def ignore(*, line: BankLine, reason: str, idempotency_key: str, acting: Actor) -> BankMatch:
    """The line stands for nothing the books need: kept, with the reason. Raises what `match_by_hand` raises."""
    return match_by_hand(
        kind=MatchKind.IGNORED, lines=[line], targets=(), reason=reason, idempotency_key=idempotency_key, acting=acting
    )


def mark_duplicate(*, line: BankLine, of: BankLine, reason: str, idempotency_key: str, acting: Actor) -> BankMatch:
    """The bank reported one movement as two lines. Raises what `match_by_hand` raises."""
    current = of.current
    if of.pk == line.pk or current is None:
        raise MatchKindWrong(why="a line is no duplicate of itself", field="of")
    target = Target(TargetKind.LINE, str(of.pk), current.amount)
    return match_by_hand(
        kind=MatchKind.DUPLICATE,
        lines=[line],
        targets=(target,),
        reason=reason,
        idempotency_key=idempotency_key,
        acting=acting,
    )


@transaction.atomic
def unmatch(*, match: BankMatch, reason: str, acting: Actor) -> BankMatch:
    """Undo a match: its entry is reversed, its lines and facts wait again.

    Raises NotAllowed, ReasonRequired, MatchInWrongState, DepositBooked (a payment goes back as a refund),
    MatchKindWrong (a settled refund), NoPeriod.
    """
    require(acting, "treasury.match_bank")
    reason = require_reason(reason)
    now = timezone.now()
    locks.open_period(on=now.date())
    parts = _parts(match)
    row = _in_state(locks.bank_match(match.pk), *HOLDING)
    if row.kind == MatchKind.DEPOSIT:
        raise DepositBooked(payment=parts.targets[0].id)
    if row.kind == MatchKind.REFUND:
        raise MatchKindWrong(why="the refund is settled; record that it failed instead")
    if row.journal_entry is not None:
        bank_entries.take_back(
            entry=row.journal_entry, at=now, reason=reason, key=f"bank_match:undo:{row.pk}", acting=acting
        )
    _release(parts.targets)
    row.undo()
    row.undone_at, row.undone_by, row.undo_reason = now, acting.label, reason
    row.save(update_fields=["state", "undone_at", "undone_by", "undo_reason"])
    bank.settle_question(match_pk=row.pk, acting=acting)
    emit(
        BankMatchUndone(
            match_id=str(row.pk),
            kind=row.kind,
            line_ids=[str(line.pk) for line in parts.lines],
            targets=[f"{target.kind}:{target.id}" for target in parts.targets],
            reason=reason,
        ),
        acting=acting,
    )
    return row


# --- deposits: made by treasury.actions.bank_deposits, which has the payment


def hold_deposit(*, line: BankLine, payment_id: int, entry: JournalEntry, why: str, acting: Actor) -> BankMatch:
    """The confirmed match of a locked line and the payment that was booked with it."""
    current = line.current
    assert current is not None  # noqa: S101 - a posted line has said something
    target = Target(TargetKind.PAYMENT, str(payment_id), current.amount)
    made = _make(Suggestion(MatchKind.DEPOSIT, (line.pk,), (target,), "deposit", 100, why), acting)
    return _settle(made, Parts([line], [target]), entry, reason=why, acting=acting)


# --- within


def _make(suggestion: Suggestion, acting: Actor, digest: str = "") -> BankMatch:
    match, is_new = BankMatch.objects.get_or_create(
        digest=digest or suggestion.digest,
        defaults={
            "kind": suggestion.kind.value,
            "rule": suggestion.rule,
            "score": suggestion.score,
            "why": suggestion.why[:500],
            "created_by": acting.label,
        },
    )
    if is_new:
        lines = BankLine.objects.select_related("current").filter(pk__in=suggestion.line_ids).order_by("pk")
        BankMatchLine.objects.bulk_create(
            [
                BankMatchLine(match=match, line=line, version=line.current, amount=line.current.amount)
                for line in lines
                if line.current is not None
            ]
        )
        BankMatchTarget.objects.bulk_create(
            [
                BankMatchTarget(match=match, kind=target.kind.value, target_id=target.id, amount=target.amount)
                for target in suggestion.targets
            ]
        )
    return match


def _confirm(match: BankMatch, *, reason: str, acting: Actor) -> BankMatch:
    parts_before = _posted_day(match)
    if MatchKind(match.kind) not in EXPLAINED:
        locks.open_period(on=parts_before)
    parts = _parts(match)
    row = _in_state(locks.bank_match(match.pk), MatchState.SUGGESTED)
    kind = MatchKind(row.kind)
    _check_lines(row, parts)
    if kind in EXPLAINED:
        return _settle(row, parts, None, reason=reason, acting=acting)
    amounts = [line.current.amount for line in parts.lines if line.current is not None]
    if not sums_agree(amounts, [target.amount for target in parts.targets]):
        raise SumsDiffer(
            lines=plain(sum(amounts, ZERO)), targets=plain(sum((target.amount for target in parts.targets), ZERO))
        )
    _check_targets_free(parts.targets)
    entry = _book(row, kind, parts, acting)
    return _settle(row, parts, entry, reason=reason, acting=acting)


def _book(row: BankMatch, kind: MatchKind, parts: Parts, acting: Actor) -> JournalEntry:
    """The entry of a match, and what the facts become by it."""
    if kind is MatchKind.REFUND:
        return _settle_refund(parts, acting)
    lines = bank_entries.lines_of(kind, parts.lines, parts.targets)
    if len(lines) < 2:
        raise MatchKindWrong(why="both stand for the same account, so there is nothing to post; ignore them instead")
    entry = bank_entries.post(match=row, lines=lines, occurred_at=parts.posted_at, acting=acting)
    _take(row, parts, acting)
    return entry


def _take(row: BankMatch, parts: Parts, acting: Actor) -> None:
    bill_ids = _ids(parts.targets, TargetKind.BILL)
    if bill_ids:
        bills.pay(rows=locks.bills(bill_ids), match_pk=row.pk, acting=acting)
    for payout in locks.payouts(_ids(parts.targets, TargetKind.PAYOUT)):
        payout.matched_at = parts.posted_at
        payout.save(update_fields=["matched_at"])


def _release(targets: Sequence[Target]) -> None:
    bill_ids = _ids(targets, TargetKind.BILL)
    if bill_ids:
        bills.reopen(rows=locks.bills(bill_ids))
    for payout in locks.payouts(_ids(targets, TargetKind.PAYOUT)):
        payout.matched_at = None
        payout.save(update_fields=["matched_at"])


def _settle_refund(parts: Parts, acting: Actor) -> JournalEntry:
    """Dr 2240 / Cr 1110, posted by the refund itself."""
    if len(parts.targets) != 1:
        raise MatchKindWrong(why="a refund by wire is one refund")
    refund = Refund.objects.get(pk=int(parts.targets[0].id))
    refunds.settle(refund_id=refund.refund_id, acting=acting)
    refund = Refund.objects.select_related("journal_entry").get(pk=refund.pk)
    if refund.journal_entry is None:
        raise TargetUnknown(target=f"entry of refund {refund.refund_id}")
    return refund.journal_entry


def _settle(row: BankMatch, parts: Parts, entry: JournalEntry | None, *, reason: str, acting: Actor) -> BankMatch:
    row.confirm()
    row.journal_entry = entry
    row = _decided(row, reason, acting)
    for line in parts.lines:
        resolve_cause(bank.UNMATCHED, f"bank:line:{line.pk}", resolution="The line is matched.", acting=acting)
    amounts = [line.current.amount for line in parts.lines if line.current is not None]
    emit(
        BankMatchConfirmed(
            match_id=str(row.pk),
            kind=row.kind,
            line_ids=[str(line.pk) for line in parts.lines],
            targets=[f"{target.kind}:{target.id}" for target in parts.targets],
            amount=plain(sum(amounts, ZERO)),
            journal_entry_id=str(entry.pk) if entry is not None else None,
        ),
        acting=acting,
    )
    return row


def _decided(row: BankMatch, reason: str, acting: Actor) -> BankMatch:
    row.decided_at, row.decided_by, row.reason = timezone.now(), acting.label, reason
    row.save(update_fields=["state", "decided_at", "decided_by", "reason", "journal_entry"])
    return row


def _in_state(row: BankMatch, *needed: MatchState) -> BankMatch:
    if row.state not in needed:
        raise MatchInWrongState(match=row.pk, state=row.state, needed=" or ".join(state.value for state in needed))
    return row


def _posted_day(match: BankMatch) -> Any:
    """The UTC day the newest line was posted on; today when none is, which is refused further on."""
    times = BankMatchLine.objects.filter(match=match).values_list("line__current__posted_at", flat=True)
    known = [at for at in times if at is not None]
    return max(known, default=timezone.now()).astimezone(UTC).date()


def _parts(match: BankMatch) -> Parts:
    ids = BankMatchLine.objects.filter(match=match).values_list("line_id", flat=True)
    rows = BankMatchTarget.objects.filter(match=match).order_by("pk")
    return Parts(locks.bank_lines(ids), [Target(TargetKind(row.kind), row.target_id, row.amount) for row in rows])


def _check_lines(row: BankMatch, parts: Parts) -> None:
    if not parts.lines:
        raise MatchKindWrong(why="a match has at least one line")
    stood_on = dict(BankMatchLine.objects.filter(match=row).values_list("line_id", "amount"))
    for line in parts.lines:
        current = line.current
        if current is None or not is_posted(current.status):
            raise LineNotPosted(line=line.pk, state=current.status if current is not None else "unknown")
        if current.amount != stood_on[line.pk]:
            raise MatchOutOfDate(line=line.pk)
        holder = reports.holder_of_line(line.pk)
        if holder is not None:
            raise LineTaken(line=line.pk, match=holder)


def _check_targets_free(targets: Sequence[Target]) -> None:
    for target in targets:
        holder = reports.holder_of(target.kind, target.id) if target.kind is not TargetKind.ACCOUNT else None
        if holder is not None:
            raise TargetTaken(target=f"{target.kind.value} {target.id}", match=holder)


def _check_kind(kind: MatchKind, lines: Sequence[BankLine], targets: Sequence[Target]) -> None:
    allowed = _TARGETS.get(kind)
    if allowed is None:
        raise MatchKindWrong(why="deposits are booked as payments, not matched by hand", field="kind")
    if not lines:
        raise MatchKindWrong(why="a match has at least one line", field="lines")
    if not targets and kind not in {MatchKind.IGNORED, MatchKind.TRANSFER}:
        raise MatchKindWrong(why="it stands for nothing yet", field="targets")
    for target in targets:
        if target.kind not in allowed:
            raise MatchKindWrong(why=f"a {target.kind.value} is no {kind.value}", field="targets")
        _check_target(kind, target)


def _check_target(kind: MatchKind, target: Target) -> None:
    """The fact exists, is of that kind, and comes to that amount."""
    if target.kind is TargetKind.ACCOUNT:
        if not matching.account_may_stand(kind, target.id):
            raise TargetUnknown(target=f"account {target.id}", field="targets")
        return
    amount = _amount_of(kind, target) if target.id.isdecimal() else None
    if amount is None:
        raise TargetUnknown(target=f"{target.kind.value} {target.id}", field="targets")
    if amount != target.amount:
        raise SumsDiffer(lines=plain(target.amount), targets=plain(amount), field="targets")


def _amount_of(kind: MatchKind, target: Target) -> Decimal | None:
    """What the fact comes to, signed as the bank signs; None where there is no such fact of that kind."""
    amount = reports.fact_amount(target.kind, int(target.id))
    if amount is not None and target.kind is TargetKind.PAYOUT:
        return amount if (amount > 0) is (kind is MatchKind.PAYOUT) else None
    if target.kind is TargetKind.BILL:
        of_kind = BILL_ACCOUNTS[BillKind.TAX if kind is MatchKind.TAX else BillKind.INFRASTRUCTURE]
        return amount if Bill.objects.filter(pk=int(target.id), account__in=of_kind).exists() else None
    return amount


def _ids(targets: Sequence[Target], kind: TargetKind) -> list[int]:
    return [int(target.id) for target in targets if target.kind is kind]


def _agrees_again(match: BankMatch) -> bool:
    parts = BankMatchLine.objects.filter(match=match).select_related("line__current")
    return all(
        part.line.current is not None
        and is_posted(part.line.current.status)
        and part.line.current.amount == part.amount
        for part in parts
    )


def _uphold(match: BankMatch, acting: Actor) -> BankMatch:
    _parts(match)
    row = _in_state(locks.bank_match(match.pk), MatchState.QUESTIONED)
    row.confirm()
    row.question = ""
    row.save(update_fields=["state", "question"])
    bank.settle_question(match_pk=row.pk, acting=acting)
    return row
