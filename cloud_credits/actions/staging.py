"""Where a batch of usage events waits, inside its own transaction, between being read and being charged.

The stage is an unlogged table whose rows never see a commit, so each transaction sees its own and nobody else's. A
row's id is the number its transaction will have; ids rise in the order of the batch, and what was drawn
before the first row and for the last finds them all by one range of the key, whatever else lies about.
"""

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final, NamedTuple

from cloud_credits import locks
from cloud_credits.policies.primitives import MEASURES
from cloud_credits.policies.rate_cards import Card
from habitat.members.policies.statuses import MAY_REDEEM
from habitat.statements import array_of, copy_in, rows_of

# Later than any moment that is stored.
_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)

_DRAW = "SELECT nextval('cloud_credits_cloudtransaction_id_seq')"
_COPY = r"""
COPY cloud_credits_meteringstage (event_id, member_id, primitive, quantity, unit, service_name, said_at, ended_at,
                                  started_at, received_at)
FROM STDIN WITH (FORMAT csv, ESCAPE '\', NULL 'null')
"""
# Statuses that may redeem, as a parameter of type text[].
REDEEMERS: Final = array_of(sorted(status.value for status in MAY_REDEEM))
# Both bounds: a row that somebody left beyond them is in nobody's batch, and the planner takes the key's range for
# narrow without statistics, which are never taken.
STAGED = "s.id BETWEEN %(first)s::bigint AND %(last)s::bigint"
# A usage ended at `timestamp` where nothing more was said.
ENDED = "coalesce(s.ended_at, s.said_at)"
# When the house had the event: with the batch, or before it where it waited in a queue.
RECEIVED = "coalesce(s.received_at, %(received)s::timestamptz)"
_UNITS = " ".join(f"WHEN '{primitive.value}' THEN '{measure.unit}'" for primitive, measure in MEASURES.items())
# A primitive's one unit, whatever it was called.
UNIT = f"CASE primitive {_UNITS} END"
# As Python's isoformat has it: microseconds in full or not at all. to_json's text hangs on no setting of the session.
_ISO = """(SELECT CASE length(iso.text) WHEN 19 THEN iso.text ELSE rpad(iso.text, 26, '0') END || '+00:00'
            FROM (SELECT to_json({} AT TIME ZONE 'UTC')#>>'{{}}' AS text) iso)"""
# The same bytes as `MeteringEvent.digest`; a property test holds the two together.
DIGEST = f"""
sha256(convert_to(concat_ws(E'\\x1f', s.member_id, s.primitive, trim_scale(s.quantity), p.unit, s.service_name,
                            {_ISO.format(ENDED)}, coalesce({_ISO.format("s.started_at")}, '')), 'UTF8'))
"""
# What all the rest needs of an event, worked out before any balance is locked. PostgreSQL's numeric round() is half
# away from zero: half-up, for positive numbers (policies/pricing). What no card prices keeps no cost. The number drawn
# last in this session is that of the last row.
_PRICE = f"""
WITH last AS MATERIALIZED (
    SELECT currval('cloud_credits_cloudtransaction_id_seq') AS id
), price AS MATERIALIZED (
    SELECT * FROM unnest(%(card)s::bigint[], %(version)s::integer[], %(begins)s::timestamptz[],
                         %(ends)s::timestamptz[], %(primitive)s::text[], %(unit)s::text[], %(rate)s::numeric[])
        AS p(card_id, version, begins, ends, primitive, unit, rate)
), priced AS (
    UPDATE cloud_credits_meteringstage s
       SET card_id = p.card_id, version = p.version, rate = p.rate, digest = {DIGEST},
           cost = greatest(round(s.quantity * p.rate, 8), 0.00000001),
           description = s.primitive || ' usage: ' || trim_scale(s.quantity) || ' ' || p.unit
      FROM price p
     WHERE s.id BETWEEN %(first)s::bigint AND (SELECT id FROM last) AND p.primitive = s.primitive
       AND {ENDED} >= p.begins AND {ENDED} < p.ends
)
SELECT id, habitat_now() FROM last
"""  # noqa: S608 - no value in it


@dataclass(frozen=True, slots=True)
class Stage:
    """A batch on the stage: its rows are those from number `first` to `last`; `at` is when the house had them."""

    first: int
    last: int
    at: datetime

    @property
    def parameters(self) -> dict[str, int]:
        return {"first": self.first, "last": self.last}


def stage(csv: bytes, *, cards: Sequence[Card]) -> Stage:
    """Writes a batch's rows on the stage, in order, each with its price by `cards` and its digest."""
    [(drawn,)] = rows_of(_DRAW, ())
    copy_in(_COPY, csv)
    [(last, now)] = rows_of(_PRICE, {"first": drawn + 1} | _prices(cards))
    return Stage(first=drawn + 1, last=last, at=now)


_DROP = "DELETE FROM cloud_credits_meteringstage s WHERE s.id = ANY(%s::bigint[])"


def drop(ids: Collection[int]) -> None:
    """Takes events that will not be charged off the stage."""
    if ids:
        rows_of(_DROP, [array_of(ids)])


def _prices(cards: Sequence[Card]) -> dict[str, Any]:
    """Each card's four rates with the moments between which they price, as arrays (domain §4: `[effective, next)`)."""
    inorder = sorted(cards, key=lambda card: card.effective_date)
    begins = [datetime.combine(card.effective_date, time.min, tzinfo=UTC) for card in inorder]
    columns: dict[str, list[Any]] = {
        name: [] for name in ("card", "version", "begins", "ends", "primitive", "unit", "rate")
    }
    for card, begin, end in zip(inorder, begins, [*begins, _NEVER][1:], strict=True):
        for primitive, measure in MEASURES.items():
            row = (card.id, card.version, begin, end, primitive.value, measure.unit, card.rate(primitive))
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    return {name: array_of(values) for name, values in columns.items()}


# --- what the database knows of a staged event


@dataclass(frozen=True, slots=True)
class Sifted:
    """A staged event and what speaks against it before any balance is asked. `position` counts from 0.

    The last five are the outcome of the event already stored under this id: `same` where its content is equal.
    """

    id: int
    position: int
    reason: str | None
    event_id: str | None
    member_id: int | None
    cost: Decimal | None
    digest: bytes | None
    holder: str | None
    status: str | None
    same: bool | None
    meter_id: int | None
    charged: Decimal | None
    version: int | None
    balance_after: Decimal | None


# The order of the reasons is that of `metering.record`. An id already stored is looked up by its own index, once an
# event: LIMIT keeps the planner from reading all usage for a large batch.
_SIFT = f"""
WITH sent AS MATERIALIZED (
    SELECT s.*, row_number() OVER (ORDER BY s.id) - 1 AS position
      FROM cloud_credits_meteringstage s WHERE {STAGED}
)
SELECT s.id, s.position, judged.reason, s.event_id, s.member_id, s.cost, s.digest, m.display_name, m.status,
       u.digest = s.digest, u.id, u.cost, u.version, u.from_liquid_after
  FROM sent s
  LEFT JOIN LATERAL (
      SELECT u.id, u.digest, u.cost, c.version, t.from_liquid_after
        FROM cloud_credits_resourceusage u
        JOIN cloud_credits_cloudtransaction t ON t.id = u.transaction_id
        JOIN cloud_credits_ratecard c ON c.id = u.rate_card_id
       WHERE u.service_key_id = %(key)s::bigint AND u.event_id = s.event_id
       LIMIT 1
  ) u ON true
  LEFT JOIN members_member m ON m.id = s.member_id
  LEFT JOIN cloud_credits_cloudbalance b ON b.member_id = s.member_id
 CROSS JOIN LATERAL (
      SELECT CASE
          WHEN NOT coalesce((s.primitive || ' ' || s.unit) = ANY(%(spellings)s::text[]) AND s.quantity > 0
                            AND {ENDED} >= coalesce(s.started_at, '-infinity'), false)
              THEN 'unreadable'
          WHEN u.id IS NOT NULL THEN 'known'
          WHEN {ENDED} > {RECEIVED} + %(ahead)s::interval THEN 'ahead'
          WHEN {ENDED} < {RECEIVED} - %(late)s::interval THEN 'late'
          WHEN m.id IS NULL THEN 'unknown'
          WHEN m.status <> ALL(%(redeemers)s::text[]) THEN 'status'
          WHEN s.cost IS NULL THEN 'unpriced'
          WHEN b.id IS NULL THEN 'no identity'
      END AS reason
  ) judged
 WHERE judged.reason IS NOT NULL OR %(every)s::boolean
 ORDER BY s.id
"""  # noqa: S608 - no value in it


def sift(stage: Stage, **parameters: Any) -> list[Sifted]:
    """The staged events that something speaks against, in order; with `every`, all of them."""
    return [Sifted(*row) for row in rows_of(_SIFT, stage.parameters | parameters)]


# --- what is to be charged


class Standing(NamedTuple):
    """A member's balance, and what their staged events would cost: `total` CLOUD for `events`."""

    member_id: int
    holder: str
    liquid: Decimal
    total: Decimal
    events: int


_STANDINGS = f"""
WITH spent AS (
    SELECT s.member_id, sum(s.cost) AS total, count(*) AS events
      FROM cloud_credits_meteringstage s WHERE {STAGED} GROUP BY s.member_id
)
SELECT spent.member_id, m.display_name, b.liquid, spent.total, spent.events
  FROM spent
  JOIN cloud_credits_cloudbalance b ON b.member_id = spent.member_id
  JOIN members_member m ON m.id = spent.member_id
"""  # noqa: S608 - no value in it
_DUES = f"""
WITH due AS (
    SELECT s.*, row_number() OVER (ORDER BY s.id) - 1 AS place FROM cloud_credits_meteringstage s WHERE {STAGED}
)
SELECT id, place, event_id, member_id, cost FROM due WHERE member_id = ANY(%(members)s::bigint[]) ORDER BY id
"""  # noqa: S608 - no value in it
_KNOWN_BY_NOW = """
SELECT count(*) FROM cloud_credits_resourceusage u
 WHERE u.service_key_id = %s::bigint AND u.event_id = ANY(%s::text[])
"""


# Ordered by event id: two batches that have no balance yet and share events meet in the same order, and neither waits
# for the other in a circle.
_USAGE = f"""
INSERT INTO cloud_credits_resourceusage (
    member_id, primitive, quantity, unit, rate, cost, rate_card_id, service_key_id, service_name, event_id,
    digest, started_at, metered_at, received_at, is_late, transaction_id, journal_entry_id
)
SELECT member_id, primitive, quantity, {UNIT}, rate, cost, card_id, %(key)s::bigint, service_name, event_id,
       digest, started_at, {ENDED}, {RECEIVED}, false, id, %(entry)s::bigint
  FROM cloud_credits_meteringstage s WHERE {STAGED} ORDER BY event_id COLLATE "C"
"""  # noqa: S608 - no value in it
# Asked now, where nobody waits, rather than at COMMIT with all balances in hand. Not the members': two batches that
# hold the same member's row at once make the database keep a list of who does.
_ASK_NOW = "SET CONSTRAINTS usage_of_card, usage_of_key, usage_in_entry IMMEDIATE"


def write_usage(stage: Stage, *, may_wait: bool, **parameters: Any) -> None:
    """Writes the usage of what stands on the stage; its redemptions follow in the same transaction, and the database
    asks for them at its end (`usage_is_redeemed`). `may_wait`: for ids that others are writing, as long as it takes."""
    with nullcontext() if may_wait else locks.briefly():
        rows_of(_USAGE, stage.parameters | parameters)
    rows_of(_ASK_NOW, ())


def standings(stage: Stage) -> list[Standing]:
    """Each member with events on the stage, as they stand now; certain only while their balances are held."""
    return [Standing._make(row) for row in rows_of(_STANDINGS, stage.parameters)]


def dues_of(stage: Stage, members: Collection[int]) -> list[tuple[Any, ...]]:
    """Id, place among all that is staged, event id, member and cost of these members' events, in order."""
    return rows_of(_DUES, stage.parameters | {"members": array_of(members)})


def known_by_now(key_id: int, event_ids: Collection[str]) -> bool:
    """Whether somebody else has stored one of these since the batch was sifted."""
    [(count,)] = rows_of(_KNOWN_BY_NOW, [key_id, array_of(event_ids)])
    return bool(count)
