"""Refunds and disputes in every order, with spending in between: paid − refunded − lost − fees = books, to the cent."""

from collections.abc import Iterator
from itertools import permutations

import pytest

from tests.site.charges import Charge, PaperWorld, World

pytestmark = pytest.mark.django_db

# What may befall a charge of 100 USD, or 10 CLOUD. `→` is the rest of a step's life: it never comes before its step.
STEPS = {
    "spend 4": lambda charge: charge.spend("4"),
    "spend all": lambda charge: charge.spend("10"),
    "stake 6": lambda charge: charge.stake("6"),
    "we refund 30": lambda charge: charge.we_refund("30"),
    "we refund all": lambda charge: charge.we_refund("100"),
    "we refund 40, later": lambda charge: charge.we_refund("40", "pending"),
    "we refund 10, in vain": lambda charge: charge.we_refund("10", "failed"),
    "Stripe refunds 20": lambda charge: charge.stripe_refunds("20"),
    "Stripe refunds 50": lambda charge: charge.stripe_refunds("50"),
    "Stripe refunds 80": lambda charge: charge.stripe_refunds("80"),
    "Stripe refunds all": lambda charge: charge.stripe_refunds("100"),
    "Stripe refunds 30, later": lambda charge: charge.stripe_refunds("30", "pending"),
    "→ arrives": lambda charge: charge.refund_ends(0, "succeeded"),
    "→ comes back": lambda charge: charge.refund_ends(0, "failed"),
    "contested 60": lambda charge: charge.contest("60"),
    "contested whole": lambda charge: charge.contest("100"),
    "→ won": lambda charge: charge.dispute_ends("won"),
    "→ lost": lambda charge: charge.dispute_ends("lost"),
}
SPENDING = ("nothing", "spend 4", "spend all", "stake 6")
STORIES = {
    "refunds, ours and theirs": ("we refund 30", "Stripe refunds 20", "Stripe refunds 50"),
    "whole, by either": ("we refund all", "Stripe refunds all"),
    "one of ours on its way, arrives": ("we refund 40, later", "→ arrives", "Stripe refunds 50"),
    "one of ours on its way, comes back": ("we refund 40, later", "→ comes back", "Stripe refunds 50"),
    "one of ours fails at once": ("we refund 10, in vain", "Stripe refunds 50"),
    "one of theirs on its way, arrives": ("Stripe refunds 30, later", "→ arrives", "we refund 30"),
    "one of theirs comes back": ("Stripe refunds 80", "→ comes back", "we refund 30"),
    "won": ("contested 60", "→ won", "Stripe refunds 50"),
    "lost": ("contested 60", "→ lost", "Stripe refunds 20"),
    "lost, with one of ours before": ("we refund 30", "contested 60", "→ lost"),
    "lost beyond what was left": ("Stripe refunds 80", "contested whole", "→ lost"),
    "lost beyond, and the refund comes back": ("Stripe refunds 80", "→ comes back", "contested whole", "→ lost"),
    "lost beyond, and ours comes back": ("we refund 40, later", "→ comes back", "contested whole", "→ lost"),
    "lost beyond, and ours arrives": ("we refund 40, later", "→ arrives", "contested whole", "→ lost"),
}
BEGINNINGS = {"→ arrives": 0, "→ comes back": 0, "→ won": "contested", "→ lost": "contested"}


def orders(story: tuple[str, ...], spending: str) -> Iterator[tuple[str, ...]]:
    """Every order of a story and what is spent in between."""
    steps = story if spending == "nothing" else (*story, spending)
    for order in permutations(steps):
        if all(_begun(step, order[:place]) for place, step in enumerate(order)):
            yield order


def _begun(step: str, before: tuple[str, ...]) -> bool:
    if step in ("→ won", "→ lost"):
        return any(one.startswith("contested") for one in before)
    if step in ("→ arrives", "→ comes back"):
        return any("refund" in one for one in before)
    return True


def every(stories: tuple[str, ...] = tuple(STORIES), spendings: tuple[str, ...] = SPENDING) -> list[tuple[str, ...]]:
    return [order for name in stories for spending in spendings for order in orders(STORIES[name], spending)]


def live(world: World, charge: Charge, order: tuple[str, ...], *, late: bool = False) -> None:
    """Step by step, the books checked after each; `late`: nothing is heard until all has happened."""
    for name in order:
        STEPS[name](charge)
        if not late:
            world.hear()
            world.check([charge])
    world.hear()
    world.check([charge])


@pytest.mark.parametrize("order", every(), ids=" / ".join)
def test_every_order__on_paper(order):
    world = PaperWorld(seed=" / ".join(order))
    live(world, Charge(world), order)
