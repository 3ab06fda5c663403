"""Many usage events at once: staged, judged and charged by set-based statements, answered by one commit.

What `metering.record` does for one event is done here for all, with the same answers. See docs/design/metering.md.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import DatabaseError, transaction
from psycopg import errors as postgres

from cloud_credits import locks
from cloud_credits.actions import movements, spending, staging
from cloud_credits.actions.movements import Redeemed
from cloud_credits.actions.rate_cards import cards_changed, settle_before_pricing
from cloud_credits.actions.redemptions import redeemed_range
from cloud_credits.actions.staging import Sifted, Stage, Standing
from cloud_credits.errors import (
    BatchBusy,
    EventConflict,
    InsufficientBalance,
    MemberNotActive,
    MeteredMemberUnknown,
    NoCardInForce,
    NoCloudIdentity,
    SpendCapReached,
)
from cloud_credits.events import CloudRedeemed
from cloud_credits.locks import StagedBalance
from cloud_credits.policies.metering import (
    LATE,
    MeteringEvent,
    RefusalRecord,
    require_not_ahead,
    require_not_late,
)
from cloud_credits.policies.metering_batch import (
    Answer,
    AnswerStatus,
    Batch,
    BatchForm,
    Due,
    Settlement,
    as_duplicate,
    as_json,
    encoded,
    has_repeats,
    read,
    settle,
    spellings,
)
from cloud_credits.policies.rate_cards import AHEAD, utc_day
from cloud_credits.policies.spending import Allowance, month_of
from cloud_credits.reports.rate_cards import adopted_cards, forget
from habitat.errors import HabitatError
from habitat.events.actions.outbox import emit
from habitat.members.policies.actors import Actor
from habitat.money import cloud_to_usd, plain
from habitat.statements import array_of, copy_rows, rows_of
from treasury.locks import open_period
from treasury.models import Period

# A twin that was faster, one that has the ids while this has the balances: the batch is run again. Each time at least
# one other request went through.
TRIES: Final = 5
# Tries after which the balances are held before anything is judged, alone among the service's batches.
PATIENCE: Final = 2
_RUN_AGAIN: Final = (
    postgres.UniqueViolation,
    postgres.LockNotAvailable,
    postgres.DeadlockDetected,
    postgres.SerializationFailure,
)
_SPELLINGS: Final = array_of(spellings())


# Balances that are locked, by member.
_Held = Mapping[int, StagedBalance]


class _ChangedMeanwhile(Exception):
    """What the batch was judged by was overtaken while it waited for a balance."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that was not charged: its place in the batch, from 0, and why."""

    position: int
    event_id: str
    refusal: HabitatError


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of each event. `answers` are JSON objects, one an event, in the order sent."""

    answers: list[str]
    accepted: int
    duplicates: int
    refused: list[Refused]

    @property
    def conflicts(self) -> int:
        return sum(isinstance(each.refusal, EventConflict) for each in self.refused)

    @property
    def rejected(self) -> int:
        return len(self.refused) - self.conflicts


def receive(*, body: bytes, form: BatchForm, key_id: int, acting: Actor) -> BatchOutcome:
    """`record` for each event of a body, in order. Raises BatchUnreadable, BatchEmpty, BatchTooLarge, BatchBusy."""
    return record(batch=read(body, form), key_id=key_id, acting=acting)


def record(*, batch: Batch, key_id: int, acting: Actor) -> BatchOutcome:
    """Charges what can be charged and answers every event, all in one transaction; the caller's where there is one.

    A refused event is an answer and is logged; it rolls nothing back. Raises BatchBusy after five tries, and NoPeriod.
    Locks: the service's usage, period, then balances by id, and before them the event ids (decision 009). Rule: domain
    §3, §4, §6; issue 4, Metering 1.
    """
    for tried in range(TRIES):
        settle_before_pricing()
        try:
            written = _once(batch, key_id, acting, holds_first=tried >= PATIENCE)
        except _ChangedMeanwhile:
            forget()
        except DatabaseError as error:
            if not _is_overtaken(error):
                raise
            forget()
        else:
            # Read when the balances are free again: nobody waits for an answer but who asked for it.
            return written.verdicts.outcome(_answers(written))
    raise BatchBusy


def _is_overtaken(error: DatabaseError) -> bool:
    """A twin that was faster, a circle of waiting, or cards that changed between reading the prices and charging."""
    return isinstance(error.__cause__, _RUN_AGAIN) or cards_changed(error)


@transaction.atomic
def _once(batch: Batch, key_id: int, acting: Actor, *, holds_first: bool) -> "_Written":
    """All events of the batch judged and charged.

    As long as everybody can pay, all that needs no balance is judged and written before any is locked, entry and usage
    too, so that batches of the same members overlap in it (docs/design/metering.md, Many at once). Where somebody is
    short the balances are held before it is settled who gets what; where others were faster too often, before anything
    is judged (`holds_first`).
    """
    locks.usage_of(key_id, alone=holds_first)
    stage = staging.stage(batch.csv, cards=adopted_cards())
    now = stage.at
    period = open_period(on=now.date())
    held = locks.staged_balances(stage.first, stage.last) if holds_first else None
    sifted = _sift(stage, batch, key_id, now)
    staging.drop([row.id for row in sifted if row.reason])
    judged = _judge(stage, sifted)
    if judged.settlement.short:
        if held is None:
            # With ids still to come, and not alone: so those are waited for only briefly.
            held = locks.staged_balances(stage.first, stage.last)
            judged = _judge(stage, sifted)
        _require_nothing_overtook(judged.settlement, key_id)
    staging.drop([due.id for due in judged.settlement.dropped])
    verdicts = _verdicts(batch, sifted, judged.settlement, now)
    capped = _refuse_short(judged, verdicts)
    may_wait = held is None or holds_first
    redeemed = _charge(stage, _spendings(judged), held, may_wait, period, key_id, now, acting)
    if capped:
        spending.tell_caps_met({member_id: judged.caps[member_id].month for member_id in capped})
    _log(verdicts.refused, batch, key_id, now)
    return _Written(verdicts, stage, redeemed)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Who has how much, may spend how much of it, and gets what. Certain only while the balances are held."""

    standings: Sequence[Standing]
    caps: Mapping[int, Allowance]
    settlement: Settlement


def _judge(stage: Stage, sifted: Sequence[Sifted]) -> _Judged:
    standings = staging.standings(stage)
    caps = spending.allowances([standing.member_id for standing in standings])
    return _Judged(standings, caps, _settlement(stage, sifted, standings, caps))


def _sift(stage: Stage, batch: Batch, key_id: int, now: datetime) -> list[Sifted]:
    return staging.sift(
        stage,
        key=key_id,
        every=has_repeats(batch),
        received=now,
        ahead=AHEAD,
        late=LATE,
        spellings=_SPELLINGS,
        redeemers=staging.REDEEMERS,
    )


# --- who gets what


def allowance(liquid: Decimal, cap: Allowance | None = None) -> Decimal:
    """CLOUD a member may spend on usage now: what is liquid, and what their own cap leaves of the month."""
    left = cap.left if cap is not None else None
    return liquid if left is None else min(liquid, left)


def _settlement(
    stage: Stage, sifted: Sequence[Sifted], standings: Sequence[Standing], caps: Mapping[int, Allowance]
) -> Settlement:
    """Nobody's events are looked at one by one but those of members who cannot pay all of theirs; or all of them,
    where ids repeat, for then one event's fate depends on another's."""
    allowances = {each.member_id: allowance(each.liquid, caps.get(each.member_id)) for each in standings}
    good = [_due(row) for row in sifted if row.reason is None]
    if good:
        return settle(good, allowances)
    tight = [standing.member_id for standing in standings if standing.total > allowances[standing.member_id]]
    if not tight:
        return Settlement()
    dropped = [row.id for row in sifted]
    return settle(
        [
            Due(number, place + bisect_left(dropped, number), event_id, member_id, cost)
            for number, place, event_id, member_id, cost in staging.dues_of(stage, tight)
        ],
        allowances,
    )


def _due(row: Sifted) -> Due:
    if row.event_id is None or row.member_id is None or row.cost is None:
        message = f"row {row.id} was found good without what makes it so"
        raise RuntimeError(message)
    return Due(row.id, row.position, row.event_id, row.member_id, row.cost, row.digest)


def _require_nothing_overtook(settlement: Settlement, key_id: int) -> None:
    """A twin may have spent the very credits found missing now."""
    if staging.known_by_now(key_id, [short.due.event_id for short in settlement.short]):
        raise _ChangedMeanwhile


@dataclass(slots=True)
class _Spending:
    """What one member pays: `total` CLOUD for `events`."""

    member_id: int
    total: Decimal
    events: int


def _spendings(judged: _Judged) -> list[_Spending]:
    spendings = {each.member_id: _Spending(each.member_id, each.total, each.events) for each in judged.standings}
    for due in judged.settlement.dropped:
        spendings[due.member_id].total -= due.cost
        spendings[due.member_id].events -= 1
    return [spending for spending in spendings.values() if spending.events]


# --- what each event is told


@dataclass(slots=True)
class _Verdicts:
    """What is known of events before any is charged, by their place in the batch."""

    answers: dict[int, str] = field(default_factory=dict)
    # Place of an event, and of the equal one before it that is charged.
    copies: dict[int, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0

    def refuse(self, position: int, event_id: str, refusal: HabitatError) -> None:
        status = AnswerStatus.CONFLICT if isinstance(refusal, EventConflict) else AnswerStatus.REJECTED
        record = RefusalRecord.of(refusal, {"eventId": event_id})
        self.refused.append(Refused(position, record.event_id, refusal))
        self.answers[position] = encoded(
            Answer(
                event_id=record.event_id,
                status=status.value,
                code=refusal.code,
                field=refusal.field,
                reason=record.sentence,
            )
        )

    def follow(self, event: Sifted | Due, winner: Due) -> None:
        if event.digest == winner.digest:
            self.copies[event.position] = winner.position
        else:
            self.refuse(event.position, winner.event_id, EventConflict(event_id=winner.event_id, field="eventId"))

    def outcome(self, lines: list[str]) -> BatchOutcome:
        """`lines` are the answers of what was charged, in order; the others stand between them."""
        accepted = len(lines)
        if self.answers or self.copies:
            lines = self._merged(lines)
        refused = sorted(self.refused, key=lambda each: each.position)
        return BatchOutcome(lines, accepted, self.duplicates + len(self.copies), refused)

    def _merged(self, lines: list[str]) -> list[str]:
        charged = iter(lines)
        merged: list[str] = []
        for position in range(len(lines) + len(self.answers) + len(self.copies)):
            if position in self.copies:
                merged.append(as_duplicate(merged[self.copies[position]]))
            else:
                merged.append(self.answers.get(position) or next(charged))
        return merged


def _verdicts(batch: Batch, sifted: Sequence[Sifted], settlement: Settlement, now: datetime) -> _Verdicts:
    """What those that are not charged are told; the first charged of an id judges all that come after it."""
    verdicts = _Verdicts()
    for row in sifted:
        if row.reason is None:
            continue
        winner = settlement.charged.get(row.event_id or "")
        if winner is not None and winner.position < row.position and row.reason != "unreadable":
            verdicts.follow(row, winner)
        elif row.reason == "known":
            _known(row, verdicts)
        else:
            refusal = _refusal(row, batch, now)
            verdicts.refuse(row.position, str(batch.body(row.position).get("eventId", "")), refusal)
    for due, winner in settlement.followers:
        verdicts.follow(due, winner)
    return verdicts


def _refuse_short(judged: _Judged, verdicts: _Verdicts) -> set[int]:
    """Too little balance is said first, as when an event comes alone; then the member's own cap: whose were reached."""
    capped: set[int] = set()
    if not judged.settlement.short:
        return capped
    members = {standing.member_id: standing for standing in judged.standings}
    for short in judged.settlement.short:
        due, standing, cap = short.due, members[short.due.member_id], judged.caps.get(short.due.member_id)
        taken = allowance(standing.liquid, cap) - short.available
        refusal: HabitatError = InsufficientBalance(
            holder=standing.holder, available=plain(standing.liquid - taken), needed=plain(due.cost)
        )
        if cap is not None and due.cost <= standing.liquid - taken:
            refusal = cap.after(taken).refusal(due.cost)
            capped.add(due.member_id)
        verdicts.refuse(due.position, due.event_id, refusal)
    return capped


def _known(row: Sifted, verdicts: _Verdicts) -> None:
    """The event is stored already: its first outcome, or a conflict where its content is another."""
    event_id = row.event_id or ""
    if not row.same or row.charged is None or row.balance_after is None:
        verdicts.refuse(row.position, event_id, EventConflict(event_id=event_id, field="eventId"))
        return
    verdicts.duplicates += 1
    verdicts.answers[row.position] = encoded(
        Answer(
            event_id=event_id,
            status=AnswerStatus.DUPLICATE.value,
            meter_id=str(row.meter_id),
            cloud_cost=plain(row.charged),
            usd_value=plain(cloud_to_usd(row.charged)),
            rate_card_version=row.version,
            member_balance_after=plain(row.balance_after),
        )
    )


def _refusal(row: Sifted, batch: Batch, now: datetime) -> HabitatError:
    """Why this event is refused, by the same rules and in the same words as when it comes alone."""
    try:
        event = batch.event(row.position)
        _require_in_time(event, row, batch.received(row.position) or now)
    except HabitatError as refusal:
        return refusal
    if row.reason == "unknown":
        return MeteredMemberUnknown(given=event.member_id, field="memberId")
    if row.reason == "status":
        return MemberNotActive(holder=row.holder, status=row.status, field="memberId")
    if row.reason == "unpriced":
        return NoCardInForce(day=utc_day(event.ended_at).isoformat(), field="timestamp")
    if row.reason == "no identity":
        return NoCloudIdentity(holder=row.holder)
    message = f"event {event.event_id} was found {row.reason}, but nothing speaks against it"
    raise RuntimeError(message)


def _require_in_time(event: MeteringEvent, row: Sifted, received: datetime) -> None:
    if row.reason == "ahead":
        require_not_ahead(event, now=received)
    if row.reason == "late":
        require_not_late(event, now=received)


@dataclass(frozen=True, slots=True)
class _Written:
    """A batch that was written: its charged events are the rows of `redeemed`, the others' answers are known."""

    verdicts: _Verdicts
    stage: Stage
    redeemed: Redeemed | None


# Both ranges, so that neither table is ever read whole; the numbers between may be another batch's, the entry is not.
_ANSWERS = """
SELECT string_agg(concat(
           '{"eventId":', to_json(u.event_id), ',"status":"accepted","meterId":"', u.id,
           '","cloudCost":"', trim_scale(u.cost), '","usdValue":"', trim_scale(10 * u.cost),
           '","rateCardVersion":', c.version, ',"memberBalanceAfter":"', trim_scale(t.from_liquid_after), '"}'
       ), E'\n' ORDER BY t.id)
  FROM cloud_credits_cloudtransaction t
  JOIN cloud_credits_resourceusage u ON u.transaction_id = t.id
  JOIN cloud_credits_ratecard c ON c.id = u.rate_card_id
 WHERE t.id BETWEEN %(first)s::bigint AND %(last)s::bigint
   AND u.transaction_id BETWEEN %(first)s::bigint AND %(last)s::bigint
   AND t.journal_entry_id = %(entry)s::bigint
"""


def _answers(written: _Written) -> list[str]:
    """What the charged events are told, in order, from the rows written for them."""
    if written.redeemed is None:
        return []
    parameters = written.stage.parameters | {"entry": written.redeemed.journal_entry_id}
    [(answers,)] = rows_of(_ANSWERS, parameters)
    return str(answers).split("\n")


# --- what is written


def _charge(
    stage: Stage,
    spendings: Sequence[_Spending],
    held: _Held | None,
    may_wait: bool,
    period: Period,
    key_id: int,
    now: datetime,
    acting: Actor,
) -> Redeemed | None:
    """Books what is left on the stage with its usage, and announces it."""
    if not spendings:
        return None
    entry_id = movements.post_staged(
        stage,
        totals={spending.member_id: spending.total for spending in spendings},
        description=f"Usage: {sum(spending.events for spending in spendings)} events",
        period=period,
        moment=now,
        acting=acting,
    )
    staging.write_usage(stage, may_wait=may_wait, key=key_id, received=now, entry=entry_id)
    held = held if held is not None else locks.staged_balances(stage.first, stage.last)
    _require_paid(spendings, held)
    redeemed = movements.redeem_staged(stage, entry_id=entry_id, acting=acting)
    if redeemed.overtaken:
        raise _ChangedMeanwhile
    _count(spendings, redeemed)
    emit(_fact(spendings, held, redeemed), acting=acting)
    return redeemed


def _require_paid(spendings: Sequence[_Spending], held: _Held) -> None:
    """Somebody else may have been charged between judging and holding the balances, or got one only now."""
    for each in spendings:
        liquid, _ = held.get(each.member_id, (Decimal(0), 0))
        if each.total > liquid:
            raise _ChangedMeanwhile


def _count(spendings: Sequence[_Spending], redeemed: Redeemed) -> None:
    """Adds to the months of members with a cap. A batch booked across a month's end, or in another month than it was
    judged by, is run again."""
    if month_of(redeemed.began_at) != month_of(redeemed.booked_at):
        raise _ChangedMeanwhile
    try:
        spending.count({each.member_id: each.total for each in spendings}, at=redeemed.booked_at)
    except SpendCapReached:
        raise _ChangedMeanwhile from None


def _fact(spendings: Sequence[_Spending], held: _Held, redeemed: Redeemed) -> CloudRedeemed:
    """One fact for the whole batch, with each member's range of ledger rows (domain §9)."""
    total = sum((spending.total for spending in spendings), Decimal(0))
    only = spendings[0].member_id if len(spendings) == 1 else None
    return CloudRedeemed(
        transaction_id=None,
        member_id=only,
        quantity=plain(total),
        credit_value=plain(cloud_to_usd(total)),
        balance_after=plain(held[only][0] - total) if only else None,
        journal_entry_id=redeemed.journal_entry_id,
        timestamp=redeemed.booked_at.isoformat(),
        ranges=[
            redeemed_range(
                member_id=spending.member_id,
                first_sequence=version + 1,
                count=spending.events,
                quantity=spending.total,
                balance_after=liquid - spending.total,
            )
            for spending in spendings
            for liquid, version in [held[spending.member_id]]
        ],
    )


_LOG = """
COPY cloud_credits_meteringrefusal (service_key_id, event_id, code, field, sentence, details, event, refused_at)
FROM STDIN
"""


def _log(refused: Sequence[Refused], batch: Batch, key_id: int, now: datetime) -> None:
    if not refused:
        return
    records = [RefusalRecord.of(each.refusal, batch.logged(each.position)) for each in refused]
    copy_rows(
        _LOG,
        [
            (key_id, it.event_id, it.code, it.field, it.sentence, as_json(it.details), as_json(it.event), now)
            for it in records
        ],
    )
