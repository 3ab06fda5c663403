"""The way of a payment as treasury knows it; the credits are another floor's, the roof puts them in between."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet

from treasury.models import (
    BankLine,
    BankMatch,
    BankMatchLine,
    BankMatchTarget,
    MintSwitch,
    Payment,
    Payout,
    StripeEvent,
    StripeMovement,
)
from treasury.policies.bank import HOLDING, POSTED, MatchKind, MatchState, TargetKind
from treasury.policies.payments import PayoutState, Provider
from treasury.policies.trace import Arrow, Link, Trail

FOUND_AT_MOST: Final = 50
OBJECT: Final = "payload__data__object__id"
SUCCEEDED: Final = "payment_intent.succeeded"
PAYOUT: Final = "po_"
# What gives the money of a pay-out that did not arrive back to Stripe's balance; the next pay-out takes it along.
CAME_BACK: Final = ("payout_failure", "payout_cancel")


class By(StrEnum):
    """What a search is for."""

    REFERENCE = "reference"
    PAYMENT = "payment"
    PURCHASE = "purchase"
    TRANSACTION = "transaction"
    MEMBER = "member"
    LINE = "line"


def payments_by(by: By, wanted: str) -> list[Payment]:
    """Payments found by a reference of Stripe's or the bank's, a number, a member's number or a bank line's."""
    rows = Payment.objects.select_related("member").order_by("-id")
    if by is By.REFERENCE:
        return list(rows.filter(_referred(wanted))[:FOUND_AT_MOST])
    if not wanted.isdecimal() or len(wanted) > 18:
        return []
    number = int(wanted)
    if by is By.MEMBER:
        return list(rows.filter(member_id=number)[:FOUND_AT_MOST])
    if by is By.LINE:
        return list(rows.filter(_of_line(number))[:FOUND_AT_MOST])
    return list(rows.filter(pk=number)[:FOUND_AT_MOST])


def _referred(wanted: str) -> Q:
    if wanted.startswith("po_"):
        return _paid_out_by(Payout.objects.filter(payout_id=wanted))
    if wanted.startswith(("ch_", "py_")):
        return Q(charge_id=wanted)
    if wanted.startswith(("re_", "pyr_")):
        return Q(refunds__refund_id=wanted)
    if wanted.startswith(("dp_", "du_")):
        return Q(disputes__dispute_id=wanted)
    if wanted.startswith("txn_"):
        sources = StripeMovement.objects.filter(bt_id=wanted).exclude(source_id="")
        return Q(charge_id__in=sources.values("source_id"))
    return Q(reference=wanted)


def _paid_out_by(payouts: "QuerySet[Payout]") -> Q:
    """Payments whose money these took along, also that of pay-outs that failed before."""
    sources: set[str] = set()
    fresh = set(payouts.values_list("payout_id", flat=True))
    while fresh:
        rows = StripeMovement.objects.filter(payout__payout_id__in=fresh).exclude(source_id="")
        found = set(rows.values_list("source_id", flat=True)) - sources
        sources |= found
        fresh = {source for source in found if source.startswith(PAYOUT)} - fresh
    return Q(charge_id__in=sources)


def _of_line(line_id: int) -> Q:
    matches = BankMatchLine.objects.filter(line=line_id, match__state__in=[s.value for s in HOLDING]).values("match")
    targets = list(BankMatchTarget.objects.filter(match__in=matches).values_list("kind", "target_id"))
    payouts = [int(pk) for kind, pk in targets if kind == TargetKind.PAYOUT.value]
    payments = [int(pk) for kind, pk in targets if kind == TargetKind.PAYMENT.value]
    return Q(pk__in=payments) | _paid_out_by(Payout.objects.filter(pk__in=payouts))


def trail_of(payment: Payment) -> Trail:
    """Every link that treasury knows of one payment, in the order of the way."""
    links = [
        Link(
            Arrow.PAYMENT,
            payment.reference,
            payment.occurred_at,
            payment.amount,
            str(payment.state),
            "treasury.payment",
            payment.pk,
            payment.journal_entry_id,
        )
    ]
    trail = Trail(
        reference=payment.reference,
        by_bank=payment.provider == Provider.BANK.value,
        links=(),
        member_known=payment.member_id is not None,
        minting_on=_minting_on(),
        problem=payment.problem,
        late=payment.late,
        nothing_left=payment.refunded + payment.disputed >= payment.amount,
    )
    if trail.by_bank:
        line = BankLine.objects.filter(line_id=payment.reference).select_related("current").first()
        before = _of_bank(
            line, BankMatchTarget.objects.filter(kind=TargetKind.PAYMENT.value, target_id=str(payment.pk))
        )
        return replace(trail, links=(*before, *links, *_backwards(payment)), line_state=_state_of(line))
    movement = _movement(payment.charge_id)
    payouts = _payouts(movement)
    bank, candidates = _at_the_bank(payouts[-1]) if payouts else ((), ())
    return replace(
        trail,
        links=(
            *_events([payment.reference, payment.charge_id]),
            *links,
            *_at_stripe(movement, payouts),
            *bank,
            *_backwards(payment),
        ),
        fee_due=bool(movement and movement.fee),
        candidates=candidates,
    )


def trail_of_unknown(by: By, wanted: str) -> Trail | None:
    """What is known of a reference, or a bank line, that the books have no payment of; None where none is expected."""
    if by is By.REFERENCE and wanted.startswith(("pi_", "ch_", "py_")):
        movement = _movement(wanted)
        links = (*_events([wanted]), *_at_stripe(movement, _payouts(movement)))
        return Trail(reference=wanted, by_bank=False, links=links, fee_due=bool(movement and movement.fee))
    line = _unexplained(by, wanted)
    if line is None:
        return None
    links = tuple(_of_line_alone(line))
    return Trail(line.line_id, by_bank=True, links=links, line_state=_state_of(line))


def _unexplained(by: By, wanted: str) -> BankLine | None:
    """Money into the bank that nobody has said anything of yet."""
    lines = BankLine.objects.select_related("current").filter(current__amount__gt=0)
    if by is By.LINE and wanted.isdecimal() and len(wanted) <= 18:
        line = lines.filter(pk=int(wanted)).first()
    else:
        line = lines.filter(line_id=wanted).first() if by is By.REFERENCE else None
    if line is None or BankMatchLine.objects.filter(line=line, match__state__in=[s.value for s in HOLDING]).exists():
        return None
    return line


def _state_of(line: BankLine | None) -> str:
    return str(line.current.status) if line is not None and line.current is not None else ""


def _minting_on() -> bool:
    switch = MintSwitch.objects.first()
    return switch is None or (switch.automatic and switch.manual)


def _events(objects: Iterable[str]) -> list[Link]:
    """The webhook that told of the payment; `payment_intent.succeeded` before any other."""
    rows = StripeEvent.objects.filter(**{f"{OBJECT}__in": [name for name in objects if name]}).order_by("id")
    event = min(rows, key=lambda row: (row.type != SUCCEEDED, row.pk), default=None)
    if event is None or event.type != SUCCEEDED:
        return []
    what = f"{event.type} {event.event_id}"
    return [Link(Arrow.EVENT, what, event.received_at, None, str(event.state), "treasury.stripeevent", event.pk)]


def _movement(charge_id: str) -> StripeMovement | None:
    if not charge_id:
        return None
    return StripeMovement.objects.filter(source_id=charge_id).select_related("payout").order_by("id").first()


def _payouts(movement: StripeMovement | None) -> list[Payout]:
    """The pay-out that took a movement along; where it failed, the one after it too, and so on."""
    found: list[Payout] = []
    while movement is not None and movement.payout is not None and movement.payout not in found:
        found.append(movement.payout)
        if found[-1].state != PayoutState.FAILED.value:
            break
        back = StripeMovement.objects.filter(source_id=found[-1].payout_id, type__in=CAME_BACK)
        movement = back.select_related("payout").order_by("id").first()
    return found


def _at_stripe(movement: StripeMovement | None, payouts: Iterable[Payout]) -> Iterable[Link]:
    if movement is None:
        return
    row = ("treasury.stripemovement", movement.pk)
    yield Link(Arrow.MOVEMENT, movement.bt_id, movement.occurred_at, movement.amount, "", *row)
    if movement.journal_entry_id is not None and movement.fee:
        yield Link(
            Arrow.FEE, movement.bt_id, movement.occurred_at, -movement.fee, "", *row, entry=movement.journal_entry_id
        )
    for payout in payouts:
        at, state = payout.created_at, str(payout.state)
        if payout.arrival_on is not None and state == "paid":
            at = datetime.combine(payout.arrival_on, time(), UTC)
        yield Link(Arrow.PAYOUT, payout.payout_id, at, payout.amount, state, "treasury.payout", payout.pk)


def _at_the_bank(payout: Payout) -> tuple[tuple[Link, ...], tuple[tuple[int, str], ...]]:
    """The pay-out's line with its match; where there is none, the lines that would fit."""
    targets = BankMatchTarget.objects.filter(kind=TargetKind.PAYOUT.value, target_id=str(payout.pk))
    links = tuple(_of_bank(None, targets))
    if links:
        return links, ()
    fitting = BankLine.objects.filter(
        current__status=POSTED.value,
        current__amount=payout.amount,
        current__posted_at__gte=payout.created_at - timedelta(days=1),
    ).order_by("id")
    return (), tuple((pk, _fate(pk)) for pk in fitting.values_list("pk", flat=True)[:3])


def _fate(line_id: int) -> str:
    held = BankMatch.objects.filter(match_lines__line=line_id, state__in=[s.value for s in HOLDING]).first()
    if held is None:
        return "not matched"
    explained = held.kind in {MatchKind.IGNORED.value, MatchKind.DUPLICATE.value}
    return str(held.kind) if explained else f"matched to something else by match {held.pk}"


def _of_bank(line: BankLine | None, targets: "QuerySet[BankMatchTarget]") -> Iterable[Link]:
    """The line and the newest match of a target that was not given up, nor suggests a line that is taken by now."""
    given_up = [MatchState.DISMISSED.value, MatchState.UNDONE.value]
    taken = BankMatchLine.objects.filter(
        match=OuterRef("pk"), line__match_lines__match__state__in=[s.value for s in HOLDING]
    )
    matches = (
        BankMatch.objects.filter(targets__in=targets)
        .exclude(Q(Exists(taken), state=MatchState.SUGGESTED.value))
        .exclude(state__in=given_up)
        .exclude(kind__in=[MatchKind.IGNORED.value, MatchKind.DUPLICATE.value])
    )
    match = matches.order_by("-id").first()
    if line is None and match is not None:
        part = BankMatchLine.objects.filter(match=match).select_related("line__current").order_by("id").first()
        line = part.line if part is not None else None
    if line is not None:
        yield from _of_line_alone(line)
    if match is not None:
        at = match.decided_at or match.created_at
        row = ("treasury.bankmatch", match.pk)
        yield Link(Arrow.MATCH, match.why, at, None, str(match.state), *row, entry=match.journal_entry_id)


def _of_line_alone(line: BankLine) -> Iterable[Link]:
    version = line.current
    if version is not None and version.status == POSTED.value:
        row = ("treasury.bankline", line.pk)
        yield Link(Arrow.BANK_LINE, version.text[:120], version.posted_at, version.amount, str(version.status), *row)


def _backwards(payment: Payment) -> Iterable[Link]:
    for refund in payment.refunds.order_by("id"):
        what, at = f"Refund {refund.refund_id}", refund.settled_at or refund.created_at
        row = ("treasury.refund", refund.pk, refund.journal_entry_id)
        yield Link(Arrow.REFUND, what, at, -refund.amount, str(refund.state), *row)
    for dispute in payment.disputes.order_by("id"):
        what, row = f"Dispute {dispute.dispute_id}", ("treasury.dispute", dispute.pk, dispute.opened_entry_id)
        yield Link(Arrow.DISPUTE, what, dispute.opened_at, -dispute.amount, str(dispute.state), *row)
