"""A rate card as papers: the canonical bytes that are hashed and published, and a Markdown page of a version.

The canonical form is JSON as RFC 8785 writes it: keys sorted, no spaces, UTF-8. Amounts are plain strings, moments
are UTC, nothing in it can change after the notice, so whoever has the page can compute its hash again.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from eth_utils.crypto import keccak

from cloud_credits.policies.governance import CardTerms
from cloud_credits.policies.primitives import MEASURES, Primitive
from habitat.money import plain

FORMAT: Final = "habitat.rate-card.v1"
ENS_KEY: Final = "rate-card-hash-v{version}"

_MARKS: Final = re.compile(r"([\\`*_\[\]<>#!|~&])")
# At the beginning of a line these would make a list, a rule or a heading of somebody's words.
_STARTS: Final = re.compile(r"^(\s*)([-+=]|\d{1,9}(?=[.)]))", re.ASCII)


class CardLike(Protocol):
    """What a stored card has; its type is the models' affair."""

    version: Any
    is_emergency: Any
    effective_date: Any
    proposed_at: Any
    target_margin: Any
    reserve_buffer: Any
    capacity_assumptions: Any
    justification: Any
    notes: Any
    evidence: Any
    rules: Any


@dataclass(frozen=True, slots=True)
class CardContent:
    """What was put before the members: rates in CLOUD a unit, costs in USD a unit, percentages, words and rules."""

    version: int
    is_emergency: bool
    effective_date: date
    proposed_at: datetime
    rates: Mapping[Primitive, Decimal]
    costs: Mapping[Primitive, Decimal]
    target_margin: Decimal
    reserve_buffer: Decimal
    capacity_assumptions: str
    justification: str
    notes: str
    evidence: str
    rules: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PrintedOutcome:
    """What a vote came to, for the Markdown page; `rule` says in a sentence what was applied, `reason` how it was met
    or missed, `eligible` who could vote, by name."""

    settled_at: datetime
    electors: int
    yes: int
    no: int
    abstain: int
    passed: bool
    rule: str
    reason: str
    eligible: Sequence[str]


def content_of(card: CardLike) -> CardContent:
    """The published content of a proposed card. ValueError for a draft: it was put before nobody."""
    if card.version is None or card.effective_date is None or card.proposed_at is None:
        raise ValueError("a draft has no papers")
    return CardContent(
        version=card.version,
        is_emergency=card.is_emergency,
        effective_date=card.effective_date,
        proposed_at=card.proposed_at,
        rates={primitive: getattr(card, f"{primitive.value}_rate") for primitive in MEASURES},
        costs={primitive: getattr(card, f"{primitive.value}_cost") for primitive in MEASURES},
        target_margin=card.target_margin,
        reserve_buffer=card.reserve_buffer,
        capacity_assumptions=card.capacity_assumptions,
        justification=card.justification,
        notes=card.notes,
        evidence=card.evidence,
        rules=card.rules or {},
    )


def canonical(content: CardContent) -> bytes:
    """The bytes that stand for a card for ever (domain §4, audit). TypeError where a binary fraction hides."""
    paper = {
        "capacityAssumptions": content.capacity_assumptions,
        "effectiveAt": f"{content.effective_date.isoformat()}T00:00:00Z",
        "emergency": content.is_emergency,
        "evidence": content.evidence,
        "format": FORMAT,
        "justification": content.justification,
        "notes": content.notes,
        "noticeAt": instant(content.proposed_at),
        "primitives": {
            primitive.value: {
                "costUsd": plain(content.costs[primitive]),
                "rateCloud": plain(content.rates[primitive]),
                "unit": measure.unit,
            }
            for primitive, measure in MEASURES.items()
        },
        "reserveBufferPercent": plain(content.reserve_buffer),
        "rules": _exact(content.rules),
        "targetMarginPercent": plain(content.target_margin),
        "version": content.version,
    }
    return json.dumps(paper, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def content_hash(paper: bytes) -> str:
    """keccak-256 of the canonical bytes, `0x` and 64 hexadecimal digits: what the ENS text record is to carry."""
    return f"0x{keccak(paper).hex()}"


def terms_digest(terms: CardTerms) -> str:
    """What a draft said when somebody read it: equal terms have equal digests, however their numbers are written."""
    said = {name: plain(value) if isinstance(value, Decimal) else value for name, value in asdict(terms).items()}
    return content_hash(json.dumps(said, sort_keys=True, ensure_ascii=False, default=str).encode())


def ens_key(version: int) -> str:
    """The text record of `habitat.eth` that is kept for a version's hash (domain §4); nothing is written there yet."""
    return ENS_KEY.format(version=version)


def instant(moment: datetime) -> str:
    """A moment in UTC to the microsecond, always in the same 27 characters."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def markdown(
    content: CardContent,
    *,
    state: str,
    hash_text: str,
    previous: CardContent | None = None,
    outcome: PrintedOutcome | None = None,
) -> str:
    """A Markdown page of a version. People's words are quoted with every mark escaped: they stay words."""
    told = content.proposed_at.astimezone(UTC)
    facts = [
        ("State", state),
        ("In force from", f"{content.effective_date.isoformat()} 00:00 UTC"),
        ("Members told", f"{told:%Y-%m-%d %H:%M} UTC"),
        ("Kind", "emergency card" if content.is_emergency else "normal card"),
        ("Target margin", f"{plain(content.target_margin)} %"),
        ("Reserve buffer", f"{plain(content.reserve_buffer)} %"),
        ("Hash (keccak-256)", f"`{hash_text}`"),
        (
            "ENS text record",
            f"`{ens_key(content.version)}` on `habitat.eth` is kept for it; nothing is written there yet",
        ),
    ]
    parts = [
        f"# Rate card version {content.version}",
        "\n".join(f"- {name}: {value}" for name, value in facts),
        "## Rates",
        _rates(content, previous),
        *_said("Why", content.justification),
        *_said("Capacity", content.capacity_assumptions),
        *_said("Evidence of the emergency", content.evidence),
        *_said("Notes", content.notes),
        *_voted(outcome),
    ]
    return "\n\n".join(parts) + "\n"


def quoted(text: str) -> str:
    """Somebody's words as a block quote in which no mark means anything."""
    lines = text.strip().splitlines() or [""]
    return "\n".join(f"> {_STARTS.sub(_escaped_start, _MARKS.sub(_escaped, line))}".rstrip() for line in lines)


def changed_percent(before: Decimal, after: Decimal) -> Decimal:
    """How much more (or, below zero, less) `after` is than `before`, in percent, to six decimals."""
    return ((after - before) / before * 100).quantize(Decimal("0.000001"))


def _rates(content: CardContent, previous: CardContent | None) -> str:
    head = ["Primitive", "Unit", "CLOUD a unit", "Cost to the cooperative, USD"]
    if previous is not None:
        head[3:3] = [f"Version {previous.version}", "Change"]
    rows = [head, ["---"] * len(head)]
    for primitive, measure in MEASURES.items():
        rate = content.rates[primitive]
        row = [measure.title, measure.unit, plain(rate), plain(content.costs[primitive])]
        if previous is not None:
            before = previous.rates[primitive]
            row[3:3] = [plain(before), percent_in_words(changed_percent(before, rate))]
        rows.append(row)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def percent_in_words(change: Decimal) -> str:
    """`+12.5 %`, `−3 %`, `unchanged`."""
    if change == 0:
        return "unchanged"
    return f"{'+' if change > 0 else chr(0x2212)}{plain(abs(change))} %"


def _said(title: str, text: str) -> Sequence[str]:
    return (f"## {title}", quoted(text)) if text.strip() else ()


def _voted(outcome: PrintedOutcome | None) -> Sequence[str]:
    if outcome is None:
        return ()
    settled = outcome.settled_at.astimezone(UTC)
    lines = [
        f"- {'Adopted' if outcome.passed else 'Not adopted'}: {_as_said(outcome.reason)}",
        f"- Closed: {settled:%Y-%m-%d %H:%M} UTC",
        f"- Electors: {outcome.electors} ({', '.join(_as_said(name) for name in outcome.eligible)})",
        f"- Yes {outcome.yes}, no {outcome.no}, abstained {outcome.abstain}",
        f"- Rule: {outcome.rule}",
    ]
    return ("## The vote", "\n".join(lines))


def _as_said(text: str) -> str:
    """Words within a line, in which no mark means anything."""
    return _MARKS.sub(_escaped, " ".join(text.split()))


def _escaped(mark: re.Match[str]) -> str:
    return "&amp;" if mark[1] == "&" else f"\\{mark[1]}"


def _escaped_start(start: re.Match[str]) -> str:
    return f"{start[1]}\\{start[2]}" if not start[2].isdigit() else f"{start[1]}{start[2]}\\"


def _exact(value: Any) -> Any:
    """`value` as JSON may carry it: amounts as text, and never a binary fraction."""
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, Mapping):
        return {str(name): _exact(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(each) for each in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"{type(value).__name__} is not exact")
