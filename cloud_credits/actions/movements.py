"""The one writer of the credit ledger: a set of movements, their balances and their journal entries, at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import minting
from cloud_credits.actions.staging import REDEEMERS, STAGED, Stage
from cloud_credits.locks import LockedBalance
from cloud_credits.models import CloudTransaction
from cloud_credits.policies.movements import (
    Holding,
    Movement,
    Purpose,
    Settled,
    TransactionState,
    TransactionType,
    check_statuses,
    posting,
    settle,
)
from cloud_credits.policies.rate_cards import ADOPTED
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.statuses import SystemAccount
from habitat.money import plain
from habitat.statements import array_of, rows_of
from treasury.actions import journal
from treasury.locks import open_period
from treasury.models import Period
from treasury.policies.journal import LONGEST_DESCRIPTION, Draft, Source

TICK: Final = timedelta(microseconds=1)
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Applied:
    """A booked movement: its transaction's id, what both sides hold after it, its entry, and its moment."""

    transaction_id: int
    movement: Movement
    from_after: Holding | None
    to_after: Holding | None
    journal_entry_id: int | None
    booked_at: datetime
    created_at: datetime

    def row(self, acting: Actor) -> CloudTransaction:
        """The ledger row just written, without reading it again."""
        movement, source, target = self.movement, self.from_after, self.to_after
        return CloudTransaction(
            id=self.transaction_id,
            type=movement.type.value,
            state=TransactionState.COMPLETED.value,
            from_member_id=movement.from_member,
            to_member_id=movement.to_member,
            amount=movement.amount,
            purpose=movement.purpose.value,
            description=movement.description,
            reference=movement.reference,
            journal_entry_id=self.journal_entry_id,
            reverses_id=movement.reverses,
            reversal_part=movement.reversal_part,
            from_liquid_after=source.liquid if source else None,
            from_staked_after=source.staked if source else None,
            from_sequence=source.sequence if source else None,
            to_liquid_after=target.liquid if target else None,
            to_staked_after=target.staked if target else None,
            to_sequence=target.sequence if target else None,
            booked_at=self.booked_at,
            created_at=self.created_at,
            acting=acting.label,
        )


def liquid_after(holding: Holding | None) -> str:
    """What a side can spend afterwards, as events and APIs carry it."""
    return plain(holding.liquid) if holding else "0"


@transaction.atomic(savepoint=False)
def apply(
    movements: Sequence[Movement],
    *,
    acting: Actor,
    ids: Sequence[int] | None = None,
    occurred_at: datetime | None = None,
    completes_pending: bool = False,
) -> list[Applied]:
    """Books the movements in order, all or none. Checks on who may do what are the verbs' business.

    `ids` are transaction ids drawn beforehand, one a movement; with `completes_pending` they are rows already
    there in state processing, which this completes. Raises MemberNotActive, InsufficientBalance,
    InsufficientStake, NoCloudIdentity, MintingSuspended, BackingWouldBreak, and what the journal raises. Locks: the
    mint switch when credits are made, period, then balances by id (house, lock order).
    """
    if not movements:
        return []
    minting.admit(movements, acting=acting)
    moment = occurred_at or datetime.now(tz=UTC)
    groups = _entry_groups(movements)
    period = open_period(on=moment.date()) if groups else None
    locked = locks.balances(_members_of(movements))
    check_statuses(movements, {member: (row.status, row.holding.holder) for member, row in locked.items()})
    settled = settle(movements, {member: row.holding for member, row in locked.items()})
    drawn = list(ids) if ids is not None else _draw_ids(len(movements))
    entries = _post(groups, movements, drawn, moment, acting, period)
    booked = _write(_COMPLETE if completes_pending else _INSERT, settled, drawn, entries, locked, acting)
    return [
        Applied(
            transaction_id=drawn[index],
            movement=step.movement,
            from_after=step.from_after,
            to_after=step.to_after,
            journal_entry_id=entries.get(index),
            booked_at=booked[drawn[index]][0],
            created_at=booked[drawn[index]][1],
        )
        for index, step in enumerate(settled)
    ]


def post_staged(
    stage: Stage,
    *,
    totals: Mapping[int, Decimal],
    description: str,
    period: Period,
    moment: datetime,
    acting: Actor,
) -> int:
    """Posts the one summarised entry (domain §6) of what stands on the stage; returns its number.

    `totals` are the CLOUD each member spends. Needs no balance: whoever then finds that one does not hold its part
    rolls the entry back with all the rest. Called inside the transaction that staged them.
    """
    [(lowest,)] = rows_of(_LOWEST, stage.parameters)
    draft = Draft(
        lines=posting(_redemptions(totals), techne=techne_id()),
        occurred_at=moment,
        source=Source("cloud_transaction", str(lowest)),
        description=description[:LONGEST_DESCRIPTION],
        idempotency_key=f"cloud_transaction:{lowest}",
    )
    return journal.post_draft(draft=draft, acting=acting, period=period).pk


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What stood on the stage, booked: its one entry, the moments of the first row and of the last, and how many of its
    members may not redeem any more or of its cards are adopted no more: with one of them nothing of it may be kept."""

    journal_entry_id: int
    began_at: datetime
    booked_at: datetime
    overtaken: int


def redeem_staged(stage: Stage, *, entry_id: int, acting: Actor) -> Redeemed:
    """Books every redemption on the stage and takes it off in one statement.

    The balances are locked, and hold what is taken. Called inside the transaction that staged them.
    """
    parameters = {"entry": entry_id, "acting": acting.label, "redeemers": REDEEMERS, "adopted": _ADOPTED}
    [(began_at, booked_at, overtaken)] = rows_of(_REDEEM, stage.parameters | parameters)
    return Redeemed(journal_entry_id=entry_id, began_at=began_at, booked_at=booked_at, overtaken=overtaken)


def _redemptions(totals: Mapping[int, Decimal]) -> list[Movement]:
    """The same, summed for the books: all but techne post alike, so any of them may stand for all."""
    techne = techne_id()
    own = totals.get(techne, Decimal(0))
    others = next((member_id for member_id in totals if member_id != techne), None)
    return [
        Movement(type=TransactionType.REDEMPTION, amount=amount, purpose=Purpose.REDEMPTION, from_member=member_id)
        for member_id, amount in ((techne, own), (others, sum(totals.values(), Decimal(0)) - own))
        if amount
    ]


@cache
def techne_id() -> int:
    """The member number of the cooperative's own holding. It is made by a migration and never changes."""
    return Member.objects.system(SystemAccount.TECHNE).pk


def _members_of(movements: Sequence[Movement]) -> set[int]:
    sides = {side for movement in movements for side in (movement.from_member, movement.to_member)}
    return {member for member in sides if member is not None}


_DRAW = "SELECT nextval('cloud_credits_cloudtransaction_id_seq') FROM generate_series(1, %s::integer)"


def _draw_ids(count: int) -> list[int]:
    return [row[0] for row in rows_of(_DRAW, [count])]


def _entry_groups(movements: Sequence[Movement]) -> dict[str, list[int]]:
    """Indices of the movements behind each journal entry; movements that change no account are left out."""
    groups: dict[str, list[int]] = {}
    techne = techne_id()
    for index, movement in enumerate(movements):
        if posting([movement], techne=techne):
            groups.setdefault(movement.entry_key or f"#{index}", []).append(index)
    return groups


def _post(
    groups: dict[str, list[int]],
    movements: Sequence[Movement],
    ids: Sequence[int],
    moment: datetime,
    acting: Actor,
    period: Period | None,
) -> dict[int, int]:
    """One entry a group, whose movements may even out to nothing; returns entry ids by movement index."""
    techne = techne_id()
    summed = [(indices, posting([movements[index] for index in indices], techne=techne)) for indices in groups.values()]
    posted = [(indices, lines) for indices, lines in summed if lines]
    drafts = [
        Draft(
            lines=lines,
            occurred_at=moment,
            source=Source("cloud_transaction", str(ids[indices[0]])),
            description=_entry_description(movements[indices[0]]),
            idempotency_key=f"cloud_transaction:{ids[indices[0]]}",
        )
        for indices, lines in posted
    ]
    if len(drafts) == 1:
        entries = [journal.post_draft(draft=drafts[0], acting=acting, period=period)]
    else:
        entries = journal.post_many(drafts=drafts, acting=acting, period=period) if drafts else []
    return {index: entry.pk for (indices, _lines), entry in zip(posted, entries, strict=True) for index in indices}


def _entry_description(movement: Movement) -> str:
    """Why, as the journal carries it: the whole text stays on the ledger row."""
    return (movement.description or movement.type.value)[:LONGEST_DESCRIPTION]


# One statement writes rows and balances, so that the guards, which run after it, see both. `booked_at` is read
# after the balance locks and never runs backwards within a balance (domain §3).
_CLOCK = """
clock AS MATERIALIZED (SELECT greatest(clock_timestamp(), %(floor)s::timestamptz) AS at)
"""
_ROWS = """
booked AS (
    SELECT r.*, clock.at + (r.ordinal - 1) * interval '1 microsecond' AS booked_at
      FROM clock, unnest(
        %(id)s::bigint[], %(type)s::text[], %(from_member)s::bigint[], %(to_member)s::bigint[],
        %(amount)s::numeric[], %(purpose)s::text[], %(description)s::text[], %(reference)s::text[],
        %(journal_entry)s::bigint[], %(reverses)s::bigint[], %(reversal_part)s::smallint[],
        %(from_liquid)s::numeric[], %(from_staked)s::numeric[], %(from_sequence)s::bigint[],
        %(to_liquid)s::numeric[], %(to_staked)s::numeric[], %(to_sequence)s::bigint[]
      ) WITH ORDINALITY AS r(
        id, type, from_member, to_member, amount, purpose, description, reference, journal_entry, reverses,
        reversal_part, from_liquid, from_staked, from_sequence, to_liquid, to_staked, to_sequence, ordinal
      )
)
"""
_BALANCES = """
moved AS (
    UPDATE cloud_credits_cloudbalance b
       SET liquid = n.liquid, staked = n.staked, version = n.version, last_transaction_id = n.last_id,
           booked_at = booked.booked_at
      FROM unnest(
        %(balance)s::bigint[], %(liquid)s::numeric[], %(staked)s::numeric[], %(version)s::bigint[],
        %(last_id)s::bigint[]
      ) AS n(id, liquid, staked, version, last_id)
      JOIN booked ON booked.id = n.last_id
     WHERE b.id = n.id
)
"""
# Whether a membership changed while this waited for a balance: the lock was taken on what an older snapshot saw,
# and this statement sees what was committed meanwhile.
_STATUSES_CHANGED = """
(SELECT count(*) FROM unnest(%(member)s::bigint[], %(status)s::text[]) AS seen(id, status)
   JOIN members_member m ON m.id = seen.id WHERE m.status <> seen.status)
"""
_INSERT = f"""
WITH {_CLOCK}, {_ROWS}, {_BALANCES}
INSERT INTO cloud_credits_cloudtransaction (
    id, type, state, from_member_id, to_member_id, amount, purpose, description, reference, journal_entry_id,
    reverses_id, reversal_part, from_liquid_after, from_staked_after, from_sequence, to_liquid_after,
    to_staked_after, to_sequence, booked_at, booked_xid, acting
)
SELECT id, type, 'completed', from_member, to_member, amount, purpose, description, reference, journal_entry,
       reverses, reversal_part, from_liquid, from_staked, from_sequence, to_liquid, to_staked, to_sequence,
       booked_at, pg_current_xact_id()::text::bigint, %(acting)s::text
  FROM booked
RETURNING id, booked_at, created_at, {_STATUSES_CHANGED}
"""  # noqa: S608 - no value in it
# The same for redemptions that wait on the stage: what each balance is afterwards is summed here, in the order of the
# rows' numbers, over what the balance holds under its lock; numbers that others drew between them leave gaps between
# their moments. Memberships and cards are read here, for only this statement sees what changed while a balance was
# waited for.
_REDEEM = f"""
WITH clock AS MATERIALIZED (
    SELECT greatest(clock_timestamp(), max(b.booked_at) + interval '1 microsecond') AS at
      FROM cloud_credits_cloudbalance b
     WHERE b.member_id IN (SELECT s.member_id FROM cloud_credits_meteringstage s WHERE {STAGED})
), taken AS (
    DELETE FROM cloud_credits_meteringstage s WHERE {STAGED} RETURNING s.*
), booked AS MATERIALIZED (
    SELECT s.*, b.id AS balance_id, b.staked,
           b.liquid - sum(s.cost) OVER run AS liquid, b.version + row_number() OVER run AS sequence,
           lead(s.id) OVER run IS NULL AS is_last,
           clock.at + (s.id - %(first)s::bigint) * interval '1 microsecond' AS booked_at
      FROM clock, taken s JOIN cloud_credits_cloudbalance b ON b.member_id = s.member_id
    WINDOW run AS (PARTITION BY s.member_id ORDER BY s.id ROWS UNBOUNDED PRECEDING)
), moved AS (
    UPDATE cloud_credits_cloudbalance b
       SET liquid = booked.liquid, version = booked.sequence, last_transaction_id = booked.id,
           booked_at = booked.booked_at
      FROM booked
     WHERE booked.is_last AND b.id = booked.balance_id
), written AS (
    INSERT INTO cloud_credits_cloudtransaction (
        id, type, state, from_member_id, amount, purpose, description, reference, journal_entry_id,
        from_liquid_after, from_staked_after, from_sequence, booked_at, booked_xid, acting
    )
    SELECT id, 'redemption', 'completed', member_id, cost, 'redemption', description, event_id, %(entry)s::bigint,
           liquid, staked, sequence, booked_at, pg_current_xact_id()::text::bigint, %(acting)s::text
      FROM booked ORDER BY id
)
SELECT min(booked_at), max(booked_at),
       (SELECT count(*) FROM members_member m
         WHERE m.id IN (SELECT member_id FROM booked) AND m.status <> ALL(%(redeemers)s::text[]))
     + (SELECT count(*) FROM cloud_credits_ratecard c
         WHERE c.id IN (SELECT card_id FROM booked) AND c.state <> ALL(%(adopted)s::text[]))
  FROM booked
"""  # noqa: S608 - no value in it
_ADOPTED: Final = array_of(sorted(state.value for state in ADOPTED))
_LOWEST = f"SELECT min(s.id) FROM cloud_credits_meteringstage s WHERE {STAGED}"  # noqa: S608 - no value in it
_COMPLETE = f"""
WITH {_CLOCK}, {_ROWS}, {_BALANCES}
UPDATE cloud_credits_cloudtransaction t
   SET state = 'completed', journal_entry_id = booked.journal_entry,
       from_liquid_after = from_liquid, from_staked_after = from_staked, from_sequence = booked.from_sequence,
       to_liquid_after = to_liquid, to_staked_after = to_staked, to_sequence = booked.to_sequence,
       booked_at = booked.booked_at, booked_xid = pg_current_xact_id()::text::bigint
  FROM booked
 WHERE t.id = booked.id
RETURNING t.id, t.booked_at, t.created_at, {_STATUSES_CHANGED}
"""  # noqa: S608 - no value in it


def _write(
    sql: str,
    settled: Sequence[Settled],
    ids: Sequence[int],
    entries: Mapping[int, int],
    locked: Mapping[int, LockedBalance],
    acting: Actor,
) -> dict[int, tuple[datetime, datetime]]:
    """Runs the statement and judges the memberships as it saw them; `booked_at` and `created_at` by transaction id."""
    latest = [row.booked_at for row in locked.values() if row.booked_at is not None]
    columns = _row_columns(settled, ids, entries) | _balance_columns(settled, ids, locked)
    columns |= {"member": list(locked), "status": [row.status for row in locked.values()]}
    parameters: dict[str, Any] = {name: array_of(values) for name, values in columns.items()}
    parameters |= {"floor": max(latest) + TICK if latest else EPOCH, "acting": acting.label}
    rows = rows_of(sql, parameters)
    if rows and rows[0][3]:
        _check_now([step.movement for step in settled], locked)
    return {row_id: (booked_at, created_at) for row_id, booked_at, created_at, _ in rows}


def _check_now(movements: Sequence[Movement], locked: Mapping[int, LockedBalance]) -> None:
    """Judges the memberships once more, as they are now. What was written goes with the transaction."""
    now = dict(Member.objects.filter(pk__in=locked).values_list("pk", "status"))
    check_statuses(movements, {member: (now[member], row.holding.holder) for member, row in locked.items()})


def _row_columns(settled: Sequence[Settled], ids: Sequence[int], entries: Mapping[int, int]) -> dict[str, list[Any]]:
    movements = [step.movement for step in settled]
    columns: dict[str, list[Any]] = {
        "id": list(ids),
        "type": [movement.type.value for movement in movements],
        "from_member": [movement.from_member for movement in movements],
        "to_member": [movement.to_member for movement in movements],
        "amount": [movement.amount for movement in movements],
        "purpose": [movement.purpose.value for movement in movements],
        "description": [movement.description for movement in movements],
        "reference": [movement.reference for movement in movements],
        "journal_entry": [entries.get(index) for index in range(len(movements))],
        "reverses": [movement.reverses for movement in movements],
        "reversal_part": [movement.reversal_part for movement in movements],
    }
    for side, holdings in (
        ("from", [step.from_after for step in settled]),
        ("to", [step.to_after for step in settled]),
    ):
        columns[f"{side}_liquid"] = [holding.liquid if holding else None for holding in holdings]
        columns[f"{side}_staked"] = [holding.staked if holding else None for holding in holdings]
        columns[f"{side}_sequence"] = [holding.sequence if holding else None for holding in holdings]
    return columns


def _balance_columns(
    settled: Sequence[Settled], ids: Sequence[int], locked: Mapping[int, LockedBalance]
) -> dict[str, list[Any]]:
    """Each touched balance as its last movement leaves it."""
    last: dict[int, tuple[Holding, int]] = {}
    for step, transaction_id in zip(settled, ids, strict=True):
        sides = ((step.movement.from_member, step.from_after), (step.movement.to_member, step.to_after))
        for member_id, holding in sides:
            if member_id is not None and holding is not None:
                last[member_id] = (holding, transaction_id)
    return {
        "balance": [locked[member_id].id for member_id in last],
        "liquid": [holding.liquid for holding, _ in last.values()],
        "staked": [holding.staked for holding, _ in last.values()],
        "version": [holding.sequence for holding, _ in last.values()],
        "last_id": [transaction_id for _, transaction_id in last.values()],
    }
