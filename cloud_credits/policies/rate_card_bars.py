"""A vote's bars as pictures: how far it has come, and the mark it must reach (domain §4, outcome)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from cloud_credits.policies.governance import Rules, Tally
from habitat.money import plain

_FULL: Final = Decimal(100)


@dataclass(frozen=True, slots=True)
class Bar:
    """`share` and `mark` are percentages of the bar's length, as text; `need` says the rule in a sentence."""

    title: str
    words: str
    need: str
    share: str
    mark: str
    is_met: bool


def bars(found: Tally, *, is_emergency: bool, rules: Rules) -> list[Bar]:
    """Quorum, majority, and support in the whole electorate, by the `rules` of the card's notice."""
    quorum = turnout(votes=found.votes, electors=found.electors, rules=rules)
    return [quorum, _majority(found), _support(found, is_emergency=is_emergency, rules=rules)]


def turnout(*, votes: int, electors: int, rules: Rules) -> Bar:
    """The quorum alone: all that is told while a vote is open."""
    return Bar(
        title="Quorum",
        words=f"{votes} of {electors} electors voted",
        need=f"At least {rules.quorum.least(electors)} must vote; abstentions count.",
        share=_share(votes, electors),
        mark=plain((rules.quorum.part * _FULL / rules.quorum.of).quantize(Decimal("0.1"))),
        is_met=rules.quorum.is_met(votes, electors),
    )


def _majority(found: Tally) -> Bar:
    return Bar(
        title="Majority",
        words=f"{found.yes} yes, {found.no} no, {found.abstain} abstained",
        need="More yes than no.",
        share=_share(found.yes, found.yes + found.no),
        mark="50",
        is_met=found.yes > found.no,
    )


def _support(found: Tally, *, is_emergency: bool, rules: Rules) -> Bar:
    part = rules.emergency_support if is_emergency else rules.support
    needed = max(part.least(found.electors), rules.fewest_yes)
    return Bar(
        title="In favour",
        words=f"{found.yes} yes of {found.electors} electors",
        need=f"At least {needed}: {part} of the electorate, and never fewer than {rules.fewest_yes}.",
        share=_share(found.yes, found.electors),
        mark=_share(needed, found.electors),
        is_met=found.yes >= needed,
    )


def _share(part: int, whole: int) -> str:
    """Percent with one decimal, at most the whole bar."""
    if whole == 0:
        return "0"
    return f"{min(part * _FULL / whole, _FULL):.1f}"
