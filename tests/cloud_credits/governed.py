"""Rate cards on their way through notice, thread and vote: what the tests of governance ask again and again."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from cloud_credits.actions import rate_cards
from cloud_credits.models import (
    RateCard,
    RateCardBallot,
    RateCardComment,
    RateCardElector,
    RateCardOutcome,
)
from cloud_credits.policies.governance import CardTerms
from habitat.errors import HabitatError
from habitat.events.models import Event
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.roles import Role
from tests.clock import HouseClock
from tests.factories import actor, make_member

PROPOSE, VOTE = "cloud_credits.propose_ratecard", "cloud_credits.vote_ratecard"
NOON = datetime(2027, 1, 4, 12, tzinfo=UTC)
MARCH = date(2027, 3, 1)
TABLES = (RateCard, RateCardElector, RateCardBallot, RateCardComment, RateCardOutcome, Event)


def make_steward(name: str = "") -> Member:
    """An active member with a sign-in, a cloud identity and the role."""
    number = Member.objects.count() + 1
    member = make_member(name or f"Steward {number}", email=f"steward{number}@habitat.example")
    return members.grant_role(member=member, role=Role.STEWARD, reason="elected", acting=SYSTEM)


def make_stewards(count: int) -> list[Member]:
    return [make_steward() for _ in range(count)]


def steward(member: Member) -> Actor:
    """The member as the steward they are."""
    return actor(member, PROPOSE, VOTE)


def terms(**fields: Any) -> CardTerms:
    """v1's rates and costs as a whole proposal, effective 2027-03-01; text for rates and costs will do."""
    chosen: dict[str, Any] = {
        "compute_rate": "1",
        "transfer_rate": "0.1",
        "ltm_rate": "0.05",
        "stm_rate": "0.5",
        "compute_cost": "0.0416",
        "transfer_cost": "0.01",
        "ltm_cost": "0.023",
        "stm_cost": "0.05",
        "target_margin": "90",
        "reserve_buffer": "10",
        "effective_date": date(2027, 3, 1),
        "capacity_assumptions": "Twice last year's usage.",
        "justification": "Costs have changed.",
    } | fields
    if chosen.get("is_emergency"):
        chosen.setdefault("evidence", "The provider's notice of 2027-01-02.")
    return CardTerms(**{name: Decimal(value) if _is_number(name) else value for name, value in chosen.items()})


def _is_number(name: str) -> bool:
    return name.endswith(("_rate", "_cost")) or name in {"target_margin", "reserve_buffer"}


def draft(proposer: Member, **fields: Any) -> RateCard:
    return rate_cards.save_draft(card=None, terms=terms(**fields), acting=steward(proposer))


def proposed(proposer: Member, **fields: Any) -> RateCard:
    """A draft, and at once its notice."""
    return rate_cards.propose(card_id=draft(proposer, **fields).pk, acting=steward(proposer))


def opened(clock: HouseClock, proposer: Member, *, hours: int = 0, **fields: Any) -> RateCard:
    """Noticed now, and opened as early as it may be: for `hours`, or as short as it may be."""
    card = proposed(proposer, **fields)
    if not card.is_emergency:
        clock.forward(days=14)
    return open_vote(clock, card, proposer, hours=hours)


def open_vote(clock: HouseClock, card: RateCard, by: Member, *, hours: int = 0) -> RateCard:
    length = timedelta(hours=hours or (24 if card.is_emergency else 72))
    return rate_cards.open_voting(card_id=card.pk, closes_at=clock.moment + length, acting=steward(by))


def vote(card: RateCard, choices: dict[Member, str] | Sequence[tuple[Member, str]]) -> None:
    for member, choice in choices.items() if isinstance(choices, dict) else choices:
        rate_cards.cast_ballot(card_id=card.pk, choice=choice, acting=steward(member))


def adopted(clock: HouseClock, people: Sequence[Member], **fields: Any) -> RateCard:
    """Noticed now, voted for by `people`, and settled at its close."""
    card = opened(clock, people[0], **fields)
    vote(card, dict.fromkeys(people, "yes"))
    clock.at(card.closes_at)
    rate_cards.settle(card_id=card.pk)
    card = RateCard.objects.get(pk=card.pk)
    assert card.state == "approved"
    return card


def adopt_for(clock: HouseClock, people: Sequence[Member], **fields: Any) -> RateCard:
    """The same, noticed in time for its effective date: 60 days before, 7 days before for an emergency."""
    days = 7 if fields.get("is_emergency") else 60
    day = fields["effective_date"]
    clock.at(datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=days))
    return adopted(clock, people, **fields)


def stored(card: RateCard) -> RateCard:
    """The card as the database has it now."""
    return RateCard.objects.get(pk=card.pk)


def rows() -> dict[str, Any]:
    """Every row of governance: a refusal leaves this unchanged."""
    counts: dict[str, Any] = {model.__name__: model.objects.count() for model in TABLES}
    return counts | {"cards": list(RateCard.objects.order_by("id").values())}


def refused(error: type[HabitatError], attempt: Callable[[], object]) -> HabitatError:
    """The attempt raises exactly this named error and no row of governance changes."""
    before = rows()
    with pytest.raises(error) as caught:
        attempt()
    assert type(caught.value) is error
    assert rows() == before
    return caught.value


def commit_checks() -> None:
    """What COMMIT would check, inside a test's own transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
