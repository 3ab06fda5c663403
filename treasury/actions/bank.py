"""Writing down what the bank says: accounts, readings, and every version of every line. Nothing is overwritten."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.money import plain
from treasury import locks
from treasury.errors import BankAccountBooked
from treasury.events import BankAccountAssigned, BankLineChanged
from treasury.models import BankAccount, BankLine, BankLineVersion, BankMatch, BankMatchLine, BankReading, BankRowAside
from treasury.policies.bank import CHECKING, HOLDING, SAVINGS, LineStatus, MatchState, is_posted
from treasury.policies.bank_rows import AccountRow, LineRow, Lines, RowAside

UNMATCHED: Final = "bank_unmatched"
SAVINGS_KINDS: Final = frozenset({"savings", "treasury"})


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many lines were new, said something else than before, or were reported no more."""

    new: int = 0
    changed: int = 0
    vanished: int = 0


@transaction.atomic
def record_accounts(*, rows: Sequence[AccountRow], read_at: datetime, acting: Actor) -> list[BankAccount]:
    """One reading an account; an account seen for the first time stands for 1110, a savings account for 1120.

    Only the first stands as backing until a person says otherwise (domain §6). Raises NotAllowed.
    """
    require(acting, "treasury.read_bank")
    accounts = []
    for row in sorted(rows, key=lambda one: one.account_id):
        code = SAVINGS if row.kind in SAVINGS_KINDS else CHECKING
        BankAccount.objects.bulk_create(
            [
                BankAccount(
                    account_id=row.account_id,
                    name=row.name,
                    kind=row.kind,
                    ledger_code=code,
                    is_backing=code == CHECKING,
                    opened_at=row.opened_at,
                )
            ],
            ignore_conflicts=True,
        )
        account = locks.bank_account(BankAccount.objects.get(account_id=row.account_id).pk)
        if (account.name, account.kind) != (row.name, row.kind):
            account.name, account.kind = row.name, row.kind
            account.save(update_fields=["name", "kind"])
        BankReading.objects.bulk_create(
            [BankReading(account=account, available=row.available, current=row.current, read_at=read_at)],
            ignore_conflicts=True,
        )
        accounts.append(account)
    _settle_aside({row.account_id for row in rows}, acting)
    return accounts


@transaction.atomic
def assign(*, account: BankAccount, ledger_code: str, is_backing: bool, reason: str, acting: Actor) -> BankAccount:
    """Say what a bank account stands for in the chart, and whether it counts as backing.

    Raises NotAllowed, ReasonRequired, BankAccountBooked when its lines are booked on another account already.
    """
    require(acting, "treasury.assign_bankaccount")
    reason = require_reason(reason)
    row = locks.bank_account(account.pk)
    if row.ledger_code != ledger_code and _is_booked(row):
        raise BankAccountBooked(account=row.name, code=row.ledger_code, field="ledger_code")
    row.ledger_code, row.is_backing = ledger_code, is_backing
    row.save(update_fields=["ledger_code", "is_backing"])
    emit(
        BankAccountAssigned(account_id=str(row.pk), ledger_code=ledger_code, is_backing=is_backing, reason=reason),
        acting=acting,
    )
    return row


@transaction.atomic
def record_lines(*, account: BankAccount, answer: Lines, read_at: datetime, acting: Actor) -> Recorded:
    """Write down a whole answer of one account: new lines, versions that differ, and lines it no longer names.

    `answer` holds everything the bank recorded from its `since` on. A line that was posted and says something else
    now, or is missing, puts its match in question. The same answer again writes nothing. Raises NotAllowed.
    """
    require(acting, "treasury.read_bank")
    row = locks.bank_account(account.pk)
    known = {
        line.line_id: line
        for line in BankLine.objects.filter(account=row, line_id__in=[given.line_id for given in answer.rows])
    }
    new = [given for given in _once(answer.rows) if given.line_id not in known]
    _add_lines(row, new, read_at)
    lines = locks.bank_lines([line.pk for line in known.values()])
    said = {given.line_id: given for given in answer.rows}
    changed = [line for line in lines if _differs(line.current, said[line.line_id])]
    for line in changed:
        _add_version(line, _version_of(said[line.line_id], line, read_at), acting)
    vanished = _vanished(row, answer)
    for line in vanished:
        _add_version(line, _gone(line, read_at), acting)
    set_aside(rows=answer.aside, account=row, read_at=read_at, acting=acting)
    _settle_aside({given.line_id for given in answer.rows}, acting)
    row.read_until = max(read_at, row.read_until or read_at)
    row.save(update_fields=["read_until"])
    return Recorded(new=len(new), changed=len(changed), vanished=len(vanished))


@transaction.atomic
def set_aside(*, rows: Iterable[RowAside], account: BankAccount | None, read_at: datetime, acting: Actor) -> None:
    """Keep rows that could not be read, whole, once each; `bank_unmatched` says which field is at fault."""
    for row in rows:
        kept = BankRowAside(
            account=account,
            row_id=row.row_id,
            field=row.field_name,
            payload=row.payload,
            digest=row.digest,
            seen_at=read_at,
        )
        if not BankRowAside.objects.filter(digest=row.digest).exists():
            BankRowAside.objects.bulk_create([kept], ignore_conflicts=True)
            raise_alert(
                code=UNMATCHED,
                cause=_aside_cause(row.row_id or row.digest),
                message=f"A row of the bank's answer is set aside. {row.error.sentence}",
                details={"row": row.row_id, "field": row.field_name},
                acting=acting,
            )


def _aside_cause(row_id: str) -> str:
    return f"bank:row:{row_id}"


def _settle_aside(ids: set[str], acting: Actor) -> None:
    """A row that is readable now, of a line or of an account, needs nobody's care any more."""
    for row_id in BankRowAside.objects.filter(row_id__in=ids).values_list("row_id", flat=True).distinct():
        resolve_cause(UNMATCHED, _aside_cause(row_id), resolution="The bank reports the row whole now.", acting=acting)


def _once(rows: Sequence[LineRow]) -> list[LineRow]:
    """A line that a page boundary reported twice counts once, as it was said last."""
    return list({row.line_id: row for row in rows}.values())


def _is_booked(account: BankAccount) -> bool:
    return BankMatchLine.objects.filter(line__account=account, match__state__in=HOLDING).exists()


def _add_lines(account: BankAccount, rows: Sequence[LineRow], read_at: datetime) -> None:
    lines = BankLine.objects.bulk_create(
        [BankLine(account=account, line_id=row.line_id, opened_at=row.opened_at) for row in rows]
    )
    versions = BankLineVersion.objects.bulk_create(
        [_version_of(row, line, read_at) for row, line in zip(rows, lines, strict=True)]
    )
    for line, version in zip(lines, versions, strict=True):
        line.current = version
    BankLine.objects.bulk_update(lines, ["current"], batch_size=500)


def _version_of(row: LineRow, line: BankLine, read_at: datetime) -> BankLineVersion:
    return BankLineVersion(
        line=line,
        number=line.current.number + 1 if line.current is not None else 1,
        amount=row.amount,
        status=row.status.value,
        kind=row.kind,
        posted_at=row.posted_at,
        counterparty=row.counterparty,
        description=row.description,
        reference=row.reference,
        payload=row.payload,
        seen_at=read_at,
    )


def _gone(line: BankLine, read_at: datetime) -> BankLineVersion:
    last = line.current
    assert last is not None  # noqa: S101 - only lines with a version are looked for
    return BankLineVersion(
        line=line,
        number=last.number + 1,
        amount=last.amount,
        status=LineStatus.VANISHED.value,
        kind=last.kind,
        posted_at=last.posted_at,
        counterparty=last.counterparty,
        description=last.description,
        reference=last.reference,
        payload=last.payload,
        seen_at=read_at,
    )


def _differs(current: BankLineVersion | None, row: LineRow) -> bool:
    """In anything the books or the rules read; links and categories that the bank adds later do not count."""
    if current is None:
        return True
    before = (
        current.amount,
        current.status,
        current.kind,
        current.posted_at,
        current.counterparty,
        current.description,
        current.reference,
    )
    return before != (
        row.amount,
        row.status.value,
        row.kind,
        row.posted_at,
        row.counterparty,
        row.description,
        row.reference,
    )


def _vanished(account: BankAccount, answer: Lines) -> list[BankLine]:
    """Lines recorded inside the window that the answer does not name. A row nobody could read may be any of them."""
    if any(not row.row_id for row in answer.aside):
        return []
    named = {row.line_id for row in answer.rows} | {row.row_id for row in answer.aside}
    missing = (
        BankLine.objects.filter(account=account, opened_at__gte=answer.since)
        .exclude(current__status=LineStatus.VANISHED.value)
        .exclude(line_id__in=named)
    )
    return locks.bank_lines(missing.values_list("pk", flat=True))


def _add_version(line: BankLine, version: BankLineVersion, acting: Actor) -> None:
    before = line.current
    version.save(force_insert=True)
    line.current = version
    line.save(update_fields=["current"])
    if before is not None and is_posted(before.status) and _matters(before, version):
        match = _question(line, before, version, acting)
        emit(
            BankLineChanged(
                line_id=str(line.pk),
                version=version.number,
                status=version.status,
                amount=plain(version.amount),
                match_id=str(match.pk) if match is not None else None,
            ),
            acting=acting,
        )


def _matters(before: BankLineVersion, after: BankLineVersion) -> bool:
    """Other words on a posted line are a version; another amount or another state is a question."""
    return before.amount != after.amount or not is_posted(after.status)


def _question(line: BankLine, before: BankLineVersion, after: BankLineVersion, acting: Actor) -> BankMatch | None:
    """The match that holds the line is looked at again; the alert stays until it agrees or is undone."""
    part = BankMatchLine.objects.filter(line=line, match__state__in=HOLDING).first()
    if part is None:
        return None
    match = locks.bank_match(part.match_id)
    said = f"{plain(before.amount)} USD {before.status}"
    question = f"Line {line.pk} was {said} and is {plain(after.amount)} USD {after.status} now."
    if match.state == MatchState.CONFIRMED:
        match.call_in_question()
        match.question = question
        match.save(update_fields=["state", "question"])
    raise_alert(
        code=UNMATCHED,
        cause=question_cause(match.pk),
        message=f"Match {match.pk} ({match.get_kind_display()}) is in question. {question}",
        details={"match": str(match.pk), "line": str(line.pk)},
        acting=acting,
    )
    return match


def question_cause(match_pk: int) -> str:
    """The alert's cause while a match is questioned."""
    return f"bank:match:{match_pk}"


def _overdue_cause(line_pk: int) -> str:
    return f"bank:line:{line_pk}"


@transaction.atomic
def watch(*, overdue: Sequence[BankLine], open_causes: Sequence[str], acting: Actor) -> None:
    """`bank_unmatched` for each line that waits too long, settled by itself for each that no longer does.

    `open_causes` are the causes of the alerts of this kind that stand open now.
    """
    causes = {_overdue_cause(line.pk): line for line in overdue}
    for cause, line in causes.items():
        current = line.current
        assert current is not None  # noqa: S101 - a waiting line has said something
        raise_alert(
            code=UNMATCHED,
            cause=cause,
            message=f"Bank line {line.pk} of {plain(current.amount)} USD from {current.counterparty or 'nobody named'} "
            "waits for its match.",
            details={"line": str(line.pk), "amount": plain(current.amount), "posted_at": current.posted_at},
            acting=acting,
        )
    for cause in open_causes:
        if cause.startswith("bank:line:") and cause not in causes:
            resolve_cause(UNMATCHED, cause, resolution="The line is matched or explained.", acting=acting)


def settle_question(*, match_pk: int, acting: Actor) -> None:
    """The alert of a questioned match is over: it agrees again, or it was undone."""
    resolve_cause(UNMATCHED, question_cause(match_pk), resolution=f"Settled {timezone.now():%Y-%m-%d}.", acting=acting)
