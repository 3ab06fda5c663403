"""Posting and reversing: the only way into the books. One statement carries entries and lines together."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from habitat.errors import IdempotencyConflict
from habitat.members.actions.history import require_reason
from habitat.members.policies.actors import Actor
from habitat.members.policies.permissions import require
from habitat.statements import array_of, rows_of
from treasury import locks
from treasury.errors import (
    AccountInactive,
    AccountOfOtherLedger,
    AccountTakesNoLines,
    AlreadyReversed,
    NoPeriod,
    PeriodClosed,
    UnknownAccount,
)
from treasury.models import Account, JournalEntry, Period
from treasury.policies.chart import Ledger, Side
from treasury.policies.journal import (
    CLOSE,
    KINDS_WHILE_CLOSING,
    LONGEST_DESCRIPTION,
    REVERSAL,
    Draft,
    Line,
    Source,
    check_draft,
)
from treasury.policies.periods import PeriodState

_OPEN: Final = frozenset({PeriodState.OPEN})
_OPEN_OR_CLOSING: Final = frozenset({PeriodState.OPEN, PeriodState.CLOSING})

# A line whose account cannot take it keeps the whole statement from writing, so that the refusal can be named
# without a broken transaction; the triggers would refuse it too. Keys go in sorted, so that two batches cannot
# wait for each other crosswise.
_POST: Final = """
WITH line AS (
    SELECT given.*, account.id AS account_id
      FROM unnest(%(line_key)s::text[], %(line_ledger)s::text[], %(code)s::text[], %(side)s::text[],
                  %(amount)s::numeric[], %(memo)s::text[])
           WITH ORDINALITY AS given(key, ledger, code, side, amount, memo, position)
      LEFT JOIN treasury_account account
        ON account.code = given.code AND account.is_postable AND account.is_active
       AND account.ledger = given.ledger
), entry AS (
    INSERT INTO treasury_journalentry
           (ledger, occurred_at, effective_on, period_id, source_kind, source_ref, description,
            idempotency_key, content_digest, reverses_id, posted_by)
    SELECT given.ledger, given.occurred_at, given.effective_on, given.period_id, given.source_kind,
           given.source_ref, given.description, given.key, given.digest, given.reverses_id, %(posted_by)s::text
      FROM unnest(%(ledger)s::text[], %(occurred_at)s::timestamptz[], %(effective_on)s::date[],
                  %(period_id)s::bigint[], %(source_kind)s::text[], %(source_ref)s::text[],
                  %(description)s::text[], %(key)s::text[], %(digest)s::bytea[], %(reverses_id)s::bigint[])
           AS given(ledger, occurred_at, effective_on, period_id, source_kind, source_ref, description,
                    key, digest, reverses_id)
     WHERE NOT EXISTS (SELECT FROM line WHERE line.account_id IS NULL)
     ORDER BY given.key
    ON CONFLICT DO NOTHING
    RETURNING id, idempotency_key, posted_at, transaction
), written AS (
    INSERT INTO treasury_journalline (entry_id, account_id, side, amount, memo)
    SELECT entry.id, line.account_id, line.side, line.amount, line.memo
      FROM line JOIN entry ON entry.idempotency_key = line.key
     ORDER BY line.position
)
SELECT id, idempotency_key, posted_at, transaction::text FROM entry
"""


def post(
    *,
    lines: Sequence[Line],
    occurred_at: datetime,
    source: Source,
    description: str,
    idempotency_key: str,
    acting: Actor,
    effective_on: date | None = None,
    ledger: Ledger = Ledger.BOOK,
    reverses: JournalEntry | None = None,
    period: Period | None = None,
) -> JournalEntry:
    """Post one entry; amounts are USD, exact to eight decimals.

    Without `effective_on` it counts on the UTC day of `occurred_at`, or, when that day's period no longer takes it,
    on the first day of the earliest open one (domain §6). `period` is what `locks.open_period` gave the caller in
    this transaction, to spare a second lock. The same key with the same content gives the first entry back with
    `replayed` true. Raises TooFewLines, EntryUnbalanced, AmountNotPositive, UnknownAccount, AccountTakesNoLines,
    AccountInactive, AccountOfOtherLedger, SourceMissing, NoPeriod, PeriodClosed, IdempotencyConflict,
    AlreadyReversed.
    """
    draft = Draft(
        lines=lines,
        occurred_at=occurred_at,
        source=source,
        description=description,
        idempotency_key=idempotency_key,
        effective_on=effective_on,
        ledger=ledger,
        reverses_id=reverses.pk if reverses else None,
    )
    return post_draft(draft=draft, acting=acting, period=period)


def post_draft(*, draft: Draft, acting: Actor, period: Period | None = None) -> JournalEntry:
    """`post` for an entry already drafted."""
    # One entry is one statement: it is written whole or not at all, so inside the caller's transaction it needs no
    # savepoint, and a refusal leaves that transaction as it was. This spares two round trips on the metering path.
    with nullcontext() if connection.in_atomic_block else transaction.atomic():
        return _post([draft], acting, period)[0]


@transaction.atomic
def post_many(*, drafts: Sequence[Draft], acting: Actor, period: Period | None = None) -> list[JournalEntry]:
    """Post a batch in one statement, all or nothing, answered in the order of `drafts`. Raises what `post` does."""
    return _post(drafts, acting, period) if drafts else []


@transaction.atomic
def reverse(*, entry: JournalEntry, reason: str, idempotency_key: str, acting: Actor) -> JournalEntry:
    """Post the mirror of `entry` today, in an open period; the link lives on the reversal.

    Raises NotAllowed, ReasonRequired, AlreadyReversed, NoPeriod, IdempotencyConflict.
    """
    require(acting, "treasury.reverse_entry")
    return _post([_mirror(entry, REVERSAL, require_reason(reason), idempotency_key)], acting, None)[0]


@transaction.atomic
def reverse_as_part_of_close(*, entry: JournalEntry, reason: str, acting: Actor) -> JournalEntry:
    """Take back a closing entry on its own day, as part of the close: the period then reads as if never closed.

    For the verbs that reopen a period, which have judged who may. Raises AlreadyReversed, PeriodClosed.
    """
    draft = _mirror(entry, CLOSE, require_reason(reason), f"{CLOSE}:undo:{entry.pk}")
    return _post([replace(draft, effective_on=entry.effective_on)], acting, None)[0]


@transaction.atomic
def check(*, draft: Draft) -> None:
    """Raises what posting `draft` now would raise; writes nothing. Its period stays locked until the end."""
    check_draft(draft)
    _check_accounts([draft])
    _places([draft], None)


def _mirror(entry: JournalEntry, kind: str, reason: str, idempotency_key: str) -> Draft:
    lines = entry.lines.select_related("account").order_by("id")
    return Draft(
        lines=[Line(line.account.code, Side(line.side), line.amount, line.memo).mirrored() for line in lines],
        occurred_at=timezone.now(),
        source=Source(kind, str(entry.pk)),
        description=f"Reversal of entry {entry.pk}: {reason}"[:LONGEST_DESCRIPTION],
        idempotency_key=idempotency_key,
        ledger=Ledger(entry.ledger),
        reverses_id=entry.pk,
    )


def _post(drafts: Sequence[Draft], acting: Actor, period: Period | None) -> list[JournalEntry]:
    for draft in drafts:
        check_draft(draft)
    digests = {draft.idempotency_key: draft.digest() for draft in drafts}
    if len(digests) < len(drafts):
        raise IdempotencyConflict(key=_first_repeated(drafts))
    try:
        places = _places(drafts, period)
    except (NoPeriod, PeriodClosed):
        # A retry of what was posted while the period was open is still a retry.
        earlier = _earlier(digests)
        if earlier.keys() == digests.keys():
            return [earlier[draft.idempotency_key] for draft in drafts]
        raise
    written = {row[1]: row for row in rows_of(_POST, _columns(drafts, places, digests, acting))}
    posted = {
        draft.idempotency_key: _entry(draft, place, written[draft.idempotency_key], acting)
        for draft, place in zip(drafts, places, strict=True)
        if draft.idempotency_key in written
    }
    if len(posted) < len(drafts):
        posted |= _not_written([draft for draft in drafts if draft.idempotency_key not in written], digests)
    return [posted[draft.idempotency_key] for draft in drafts]


def _places(drafts: Sequence[Draft], period: Period | None) -> list[tuple[Period, date]]:
    """For each draft its locked period and the day it counts on. Periods are locked in the order of their days."""
    found: dict[tuple[date, bool, bool], tuple[Period, date]] = {}
    asked = [_asked(draft) for draft in drafts]
    for key in sorted(set(asked)):
        found[key] = _place(*key, period)
    return [found[key] for key in asked]


def _asked(draft: Draft) -> tuple[date, bool, bool]:
    return draft.wanted_on, draft.effective_on is not None, draft.source.kind in KINDS_WHILE_CLOSING


def _place(wanted: date, is_exact: bool, may_close: bool, period: Period | None) -> tuple[Period, date]:
    if period is not None and period.start <= wanted < period.end:
        return period, wanted
    if is_exact:
        return locks.period_of(on=wanted, states=_OPEN_OR_CLOSING if may_close else _OPEN), wanted
    later = locks.open_period(on=wanted)
    return later, max(wanted, later.start)


def _columns(
    drafts: Sequence[Draft], places: Sequence[tuple[Period, date]], digests: Mapping[str, bytes], acting: Actor
) -> dict[str, str]:
    """The arrays `_POST` unnests: one element an entry, one a line."""
    lines = [(draft, line) for draft in drafts for line in draft.lines]
    columns: dict[str, list[object]] = {
        "ledger": [draft.ledger.value for draft in drafts],
        "occurred_at": [draft.occurred_at for draft in drafts],
        "effective_on": [day for _, day in places],
        "period_id": [period.pk for period, _ in places],
        "source_kind": [draft.source.kind for draft in drafts],
        "source_ref": [draft.source.ref for draft in drafts],
        "description": [draft.description for draft in drafts],
        "key": [draft.idempotency_key for draft in drafts],
        "digest": [digests[draft.idempotency_key] for draft in drafts],
        "reverses_id": [draft.reverses_id for draft in drafts],
        "line_key": [draft.idempotency_key for draft, _ in lines],
        "line_ledger": [draft.ledger.value for draft, _ in lines],
        "code": [line.account for _, line in lines],
        "side": [line.side.value for _, line in lines],
        "amount": [line.amount for _, line in lines],
        "memo": [line.memo for _, line in lines],
    }
    return {name: array_of(values) for name, values in columns.items()} | {"posted_by": acting.label}


def _entry(draft: Draft, place: tuple[Period, date], row: tuple[Any, ...], acting: Actor) -> JournalEntry:
    period, day = place
    pk, key, posted_at, xid = row
    entry = JournalEntry(
        id=pk,
        ledger=draft.ledger.value,
        occurred_at=draft.occurred_at,
        effective_on=day,
        posted_at=posted_at,
        period=period,
        source_kind=draft.source.kind,
        source_ref=draft.source.ref,
        description=draft.description,
        idempotency_key=key,
        content_digest=draft.digest(),
        reverses_id=draft.reverses_id,
        posted_by=acting.label,
        transaction=int(xid),
    )
    entry._state.adding = False
    entry._state.db = connection.alias
    return entry


def _not_written(drafts: Sequence[Draft], digests: Mapping[str, bytes]) -> dict[str, JournalEntry]:
    """Why the statement wrote nothing for these: an account that refuses lines, a key used before, a reversal made."""
    _check_accounts(drafts)
    earlier = _earlier({draft.idempotency_key: digests[draft.idempotency_key] for draft in drafts})
    for draft in drafts:
        if draft.idempotency_key not in earlier:
            reversal = JournalEntry.objects.get(reverses_id=draft.reverses_id)
            raise AlreadyReversed(entry=draft.reverses_id, reversal=reversal.pk)
    return earlier


def _earlier(digests: Mapping[str, bytes]) -> dict[str, JournalEntry]:
    """The entries posted before under these keys. Raises IdempotencyConflict when the content is another."""
    entries = {}
    for entry in JournalEntry.objects.select_related("period").filter(idempotency_key__in=digests.keys()):
        if bytes(entry.content_digest) != digests[entry.idempotency_key]:
            raise IdempotencyConflict(key=entry.idempotency_key)
        entry.replayed = True
        entries[entry.idempotency_key] = entry
    return entries


def _check_accounts(drafts: Sequence[Draft]) -> None:
    """Names what is wrong with the accounts of these drafts, in the order of their lines; silent when all is well."""
    codes = {line.account for draft in drafts for line in draft.lines}
    accounts = {account.code: account for account in Account.objects.filter(code__in=codes)}
    for draft in drafts:
        for line in draft.lines:
            _check_account(line.account, accounts.get(line.account), draft.ledger)


def _check_account(code: str, account: Account | None, ledger: Ledger) -> None:
    if account is None:
        raise UnknownAccount(code=code, field="account")
    if not account.is_postable:
        raise AccountTakesNoLines(code=code, field="account")
    if not account.is_active:
        raise AccountInactive(code=code, field="account")
    if account.ledger != ledger.value:
        raise AccountOfOtherLedger(code=code, account_ledger=account.ledger, ledger=ledger.value, field="account")


def _first_repeated(drafts: Iterable[Draft]) -> str:
    seen: set[str] = set()
    for draft in drafts:
        if draft.idempotency_key in seen:
            return draft.idempotency_key
        seen.add(draft.idempotency_key)
    return ""
