"""How a batch of usage events is read, and who gets what when a member's credits do not cover all of theirs.

The ordinary batch is decoded, judged and written out again by msgspec alone, all events at once. Only where something
in it is out of the ordinary is each event looked at by itself, and only the odd ones go through `metering.parse`.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, NoReturn, TypeVar

import msgspec

from cloud_credits.errors import BatchEmpty, BatchTooLarge, BatchUnreadable, RowTooLong, RowUnreadable
from cloud_credits.policies.metering import MeteringEvent, parse
from cloud_credits.policies.primitives import MEASURES
from habitat.errors import HabitatError
from habitat.money import plain

T = TypeVar("T")

# interfaces: "≤ 10,000 events".
MOST_EVENTS: Final = 10_000
MOST_BYTES: Final = 8 * 1024 * 1024
# The size an event may have, wherever it comes from.
LONGEST_EVENT: Final = 65_536
# An event has six to nine fields; what has many times more commas than a full batch is not read any further, for
# each item between two of them would cost memory.
_MOST_COMMAS: Final = 40 * MOST_EVENTS
_MOST_FIELDS_KEPT: Final = 20

_DAY: Final = r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
_ZONE: Final = r"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
# Narrower than what `parse` takes: each text that fits is one that `parse` and PostgreSQL read as the same thing.
Identifier = Annotated[str, msgspec.Meta(pattern=r"^[!-~](?:[ -~]{0,198}[!-~])?\Z")]
MemberNumber = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,17}\Z")]
Quantity = Annotated[str, msgspec.Meta(pattern=r"^(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,6})?\Z")]
ServiceName = Annotated[str, msgspec.Meta(pattern=r"^[!-~](?:[ -~]{0,98}[!-~])?\Z")]
Moment = Annotated[str, msgspec.Meta(pattern=rf"^[12][0-9]{{3}}-{_DAY}T{_CLOCK}{_ZONE}\Z")]
Unit = Literal[
    "compute-hours", "comp-hr", "gigabytes", "GB", "gigabyte-months", "GB-mo", "GB-months",
    "gigabyte-hours", "GB-hr", "GB-hours",
]  # fmt: skip


class BatchForm(StrEnum):
    """How the events of a body stand in it."""

    JSON = "json"
    NDJSON = "ndjson"


class SubmissionState(StrEnum):
    """Where events left for later stand."""

    QUEUED = "queued"
    DONE = "done"


class Sent(msgspec.Struct, rename="camel", forbid_unknown_fields=True, frozen=True, gc=False):
    """An event in its ordinary spelling. Its unit may still be another primitive's, and its start after its end."""

    event_id: Identifier
    member_id: MemberNumber
    primitive: Literal["compute", "transfer", "ltm", "stm"]
    quantity: Quantity
    unit: Unit
    service_name: ServiceName
    timestamp: Moment | None = None
    end_time: Moment | None = None
    start_time: Moment | None = None


class Row(msgspec.Struct, array_like=True, gc=False):
    """An event as it is staged; an item that is no event is a row of nothing, so that rows and items keep step."""

    event_id: str | None = None
    member_id: str | None = None
    primitive: str | None = None
    quantity: str | None = None
    unit: str | None = None
    service_name: str | None = None
    timestamp: str | None = None
    end_time: str | None = None
    start_time: str | None = None
    received_at: str | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """An item that is no event: why, and what there was of it."""

    refusal: HabitatError
    body: Mapping[str, Any] = field(default_factory=dict)


Item = Sent | MeteringEvent | Unread


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order sent, and the same as CSV for COPY, a line each."""

    items: Sequence[Item]
    csv: bytes
    # When each came, where it waited in a queue since.
    moments: Sequence[datetime] | None = None

    def __len__(self) -> int:
        return len(self.items)

    def event(self, position: int) -> MeteringEvent:
        """The event at `position` (from 0), judged in full. Raises what `parse` raises, or why it was never read."""
        item = self.items[position]
        if isinstance(item, Unread):
            raise item.refusal
        return item if isinstance(item, MeteringEvent) else parse(_fields(item))

    def received(self, position: int) -> datetime | None:
        """When the event at `position` came, unless with the batch."""
        return self.moments[position] if self.moments else None

    def logged(self, position: int) -> Mapping[str, Any]:
        """The item at `position` as the log of refusals keeps it: an event by its meaning, anything else as it came."""
        try:
            return self.event(position).payload()
        except HabitatError:
            return self.body(position)

    def body(self, position: int) -> Mapping[str, Any]:
        """The fields of the item at `position`, as far as there are any."""
        item = self.items[position]
        if isinstance(item, Unread):
            return item.body
        return item.payload() if isinstance(item, MeteringEvent) else _fields(item)


def _fields(sent: Sent) -> dict[str, str]:
    return {name: text for name, text in msgspec.to_builtins(sent).items() if text is not None}


_decode_list = msgspec.json.Decoder(list[Sent])
_decode_one = msgspec.json.Decoder(Sent)
_decode_raw = msgspec.json.Decoder(list[msgspec.Raw])
_encoder = msgspec.json.Encoder()
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read(body: bytes, form: BatchForm) -> Batch:
    """The batch in a request's body. Raises BatchUnreadable, BatchEmpty, BatchTooLarge; a bad event is only refused."""
    if len(body) > MOST_BYTES:
        raise BatchTooLarge(events=MOST_EVENTS, bytes=MOST_BYTES)
    batch = _all_at_once(body, form) or _one_by_one(_pieces(body, form))
    if not batch.items:
        raise BatchEmpty
    if len(batch) > MOST_EVENTS:
        raise BatchTooLarge(events=MOST_EVENTS, bytes=MOST_BYTES)
    return batch


def read_lines(lines: Sequence[bytes | Unread]) -> Batch:
    """Events that came one a line, none of them blank; what is no line is refused for the reason given."""
    whole = [line for line in lines if isinstance(line, bytes)]
    batch = _all_at_once(b"\n".join(whole), BatchForm.NDJSON) if len(whole) == len(lines) else None
    if batch is not None and len(batch) == len(lines):
        return batch
    return _batch([line if isinstance(line, Unread) else _one(line) for line in lines])


def read_bodies(bodies: Sequence[Mapping[str, Any] | Unread]) -> Batch:
    """Events whose fields somebody else has taken apart, such as the cells of a CSV."""
    try:
        sent = msgspec.convert(bodies, list[Sent])
    except msgspec.ValidationError:
        return _batch([body if isinstance(body, Unread) else _judge(body) for body in bodies])
    return Batch(items=sent, csv=_csv(msgspec.convert(sent, list[Row], from_attributes=True)))


def merged(batches: Sequence[Batch], moments: Sequence[datetime]) -> Batch:
    """Several batches as one, in order, each event with the moment its batch came."""
    items: list[Item] = []
    rows: list[Row] = []
    came: list[datetime] = []
    for batch, moment in zip(batches, moments, strict=True):
        text = moment.isoformat()
        for item in batch.items:
            row = _row(item)
            row.received_at = text
            rows.append(row)
        items += batch.items
        came += [moment] * len(batch)
    return Batch(items=items, csv=_csv(rows), moments=came)


def within(things: Sequence[T], most: int, size: Callable[[T], int]) -> list[T]:
    """As many from the front as are together no larger than `most`; the first in any case."""
    taken: list[T] = []
    room = most
    for thing in things:
        room -= size(thing)
        if taken and room < 0:
            break
        taken.append(thing)
    return taken


def has_repeats(batch: Batch) -> bool:
    """True when two events have the same id, so that the later one depends on what becomes of the first."""
    ids = [item.event_id for item in batch.items if not isinstance(item, Unread)]
    return len(set(ids)) < len(ids)


def _all_at_once(body: bytes, form: BatchForm) -> Batch | None:
    """The whole body by one call in C, or nothing where an event in it is out of the ordinary.

    JSON lets a name stand twice in an object, and msgspec takes the last; `record` refuses such a body. Without an
    escape in it, a body has four quotes for each field of an ordinary event (around its name and its value), and more
    as soon as one name stands twice.
    """
    if b"\\" in body:
        return None
    try:
        sent = _decode_list.decode(body) if form is BatchForm.JSON else _decode_one.decode_lines(body)
    except _BROKEN:
        return None
    csv = _csv(msgspec.convert(sent, list[Row], from_attributes=True))
    return Batch(items=sent, csv=csv) if body.count(b'"') == 2 * csv.count(b'"') else None


def _pieces(body: bytes, form: BatchForm) -> Sequence[bytes]:
    """Each event's own bytes. Raises BatchUnreadable, BatchTooLarge."""
    if form is BatchForm.NDJSON:
        if body.count(b"\n") > 2 * MOST_EVENTS:
            raise BatchTooLarge(events=MOST_EVENTS, bytes=MOST_BYTES)
        return [line for line in body.split(b"\n") if line.strip()]
    if body.count(b",") > _MOST_COMMAS:
        raise BatchTooLarge(events=MOST_EVENTS, bytes=MOST_BYTES)
    try:
        return [bytes(piece) for piece in _decode_raw.decode(body)]
    except _BROKEN as error:
        pieces = _pieces_whatever_is_escaped(body)
        if pieces is None:
            raise BatchUnreadable(why=str(error)[:200]) from None
        return pieces


def _pieces_whatever_is_escaped(body: bytes) -> list[bytes] | None:
    """The items of an array in which msgspec stumbles over an escape, such as half a character (`\\ud800`) that JSON's
    grammar allows: whichever event has it is refused alone. None where it is no array either way.

    Every escape is written over by as many plain bytes, which moves nothing and ends no text.
    """
    plainly = body.replace(rb"\\", b"00").replace(rb"\"", b"00").replace(b"\\", b"0")
    try:
        items = _decode_raw.decode(plainly)
    except _BROKEN:
        return None
    pieces, end = [], 0
    for item in map(bytes, items):
        # Between two items stand a comma and blanks, so the next one begins where it is first found.
        start = plainly.index(item, end)
        end = start + len(item)
        pieces.append(body[start:end])
    return pieces


def _one_by_one(pieces: Sequence[bytes]) -> Batch:
    if len(pieces) > MOST_EVENTS:
        raise BatchTooLarge(events=MOST_EVENTS, bytes=MOST_BYTES)
    return _batch([_one(piece) for piece in pieces])


def _one(piece: bytes) -> Item:
    batch = _all_at_once(piece, BatchForm.NDJSON)
    if batch is not None and len(batch) == 1:
        return batch.items[0]
    try:
        return _judge(exact_object(piece))
    except (RowUnreadable, RowTooLong) as refusal:
        return Unread(refusal)


def _judge(body: Mapping[str, Any]) -> Item:
    try:
        return parse(body)
    except HabitatError as refusal:
        return Unread(refusal, dict(list(body.items())[:_MOST_FIELDS_KEPT]))


def exact_object(piece: bytes) -> dict[str, Any]:
    """A JSON object without a float in it and without a name that stands twice. Raises RowTooLong, RowUnreadable."""
    if len(piece) > LONGEST_EVENT:
        raise RowTooLong(largest=LONGEST_EVENT)
    try:
        found = json.loads(piece, parse_float=Decimal, parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RowUnreadable:
        raise
    except (ValueError, RecursionError):
        raise RowUnreadable(why="it is not JSON") from None
    if not isinstance(found, dict):
        raise RowUnreadable(why="it is not a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RowUnreadable(why="a name stands twice in one object")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise RowUnreadable(why=f"{name} is not JSON")


def _batch(items: Sequence[Item]) -> Batch:
    return Batch(items=items, csv=_csv([_row(item) for item in items]))


def _row(item: Item) -> Row:
    if isinstance(item, Unread):
        return Row()
    if isinstance(item, Sent):
        return msgspec.convert(item, Row, from_attributes=True)
    return Row(
        event_id=item.event_id,
        member_id=str(item.member_id),
        primitive=item.primitive.value,
        quantity=plain(item.quantity),
        unit=item.unit,
        service_name=item.service_name,
        end_time=item.ended_at.isoformat(),
        start_time=item.started_at.isoformat() if item.started_at else None,
    )


def _csv(rows: Sequence[Row]) -> bytes:
    """JSON arrays without their brackets: what COPY reads as CSV when the escape is a backslash.

    A raw newline stands only between two lines, never inside JSON, so nothing but the brackets is cut.
    """
    return _encoder.encode_lines(rows)[1:-2].replace(b"]\n[", b"\n") + b"\n" if rows else b""


def spellings() -> list[str]:
    """Every pair of a primitive and a name of its unit, with a blank between."""
    return [
        f"{primitive.value} {unit}"
        for primitive, measure in MEASURES.items()
        for unit in (measure.unit, measure.abbreviation, *sorted(measure.spellings))
    ]


# --- who gets what


@dataclass(frozen=True, slots=True)
class Due:
    """A staged event that could be charged: its number, its place in the batch, its `cost` in CLOUD. `digest` is
    asked for where ids repeat."""

    id: int
    position: int
    event_id: str
    member_id: int
    cost: Decimal
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Short:
    """An event its member could not pay when its turn came: `available` CLOUD were left."""

    due: Due
    available: Decimal


@dataclass(slots=True)
class Settlement:
    """What becomes of events in the order sent: the rest of them are charged."""

    short: list[Short] = field(default_factory=list)
    # Event and the one of the same id before it that was charged.
    followers: list[tuple[Due, Due]] = field(default_factory=list)
    charged: dict[str, Due] = field(default_factory=dict)

    @property
    def dropped(self) -> list[Due]:
        return [short.due for short in self.short] + [follower for follower, _ in self.followers]


def settle(dues: Iterable[Due], allowances: Mapping[int, Decimal]) -> Settlement:
    """Each event alone and in the order sent: what fits is taken, what does not stops no later, smaller one.

    `allowances` are the CLOUD each member may spend. Of equal ids the first that is charged wins. Rule: issue 4,
    Metering 1.
    """
    left = dict(allowances)
    done = Settlement()
    for due in dues:
        winner = done.charged.get(due.event_id)
        if winner is not None:
            done.followers.append((due, winner))
        elif due.cost > left[due.member_id]:
            done.short.append(Short(due, left[due.member_id]))
        else:
            left[due.member_id] -= due.cost
            done.charged[due.event_id] = due
    return done


# --- the answer


class AnswerStatus(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"


class Answer(msgspec.Struct, rename="camel", omit_defaults=True, frozen=True, gc=False):
    """What one event of a batch is told. Money is CLOUD or USD as plain text."""

    event_id: str
    status: str
    meter_id: str | None = None
    cloud_cost: str | None = None
    usd_value: str | None = None
    rate_card_version: int | None = None
    member_balance_after: str | None = None
    code: str | None = None
    field: str | None = None
    reason: str | None = None


def as_json(content: object) -> str:
    return _encoder.encode(content).decode()


def encoded(answer: Answer) -> str:
    return _encoder.encode(answer).decode()


def tally(lines: Iterable[str]) -> dict[AnswerStatus, int]:
    """How many answers are of each status. A quote inside a text is escaped, so the key is found nowhere else."""
    counts = dict.fromkeys(AnswerStatus, 0)
    for line in lines:
        word = line.split('"status":"', 1)[1].split('"', 1)[0]
        counts[AnswerStatus(word)] += 1
    return counts


def as_duplicate(line: str) -> str:
    """An accepted event's answer, as one of the same id and content after it is told."""
    return line.replace('"status":"accepted"', '"status":"duplicate"', 1)
