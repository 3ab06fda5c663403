"""Refunds and disputes in every order, with spending in between: paid − refunded − lost − fees = books, to the cent."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count, permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_credits.workflows.purchases import mint_waiting
from tests.cloud_credits.bought import resume, suspend
from tests.site.charges import BankWorld, Charge, HttpWorld, PaperWorld, World
from tests.treasury.stripe_side import KEY

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
    "Stripe refunds 40": lambda charge: charge.stripe_refunds("40"),
    "Stripe refunds 40, later": lambda charge: charge.stripe_refunds("40", "pending"),
    "Stripe refunds 30": lambda charge: charge.stripe_refunds("30"),
    "Stripe refunds 30, later": lambda charge: charge.stripe_refunds("30", "pending"),
    "→ arrives": lambda charge: charge.refund_ends(0, "succeeded"),
    "→ comes back": lambda charge: charge.refund_ends(0, "failed"),
    "→ the second comes back": lambda charge: charge.refund_ends(1, "failed"),
    "→ the third arrives": lambda charge: charge.refund_ends(2, "succeeded"),
    "contested 40": lambda charge: charge.contest("40"),
    "contested 60": lambda charge: charge.contest("60"),
    "contested whole": lambda charge: charge.contest("100"),
    "→ won": lambda charge: charge.dispute_ends("won"),
    "→ lost": lambda charge: charge.dispute_ends("lost"),
}
SPENDING = ("spend 4", "spend all", "stake 6")
STORIES = {
    "refunds, ours and theirs": ("we refund 30", "Stripe refunds 20", "Stripe refunds 50"),
    "whole, by either": ("we refund all", "Stripe refunds all"),
    "ours arrives": ("we refund 40, later", "→ arrives", "Stripe refunds 50"),
    "ours comes back": ("we refund 40, later", "→ comes back", "Stripe refunds 50"),
    "ours fails at once": ("we refund 10, in vain", "Stripe refunds 50"),
    "theirs arrives": ("Stripe refunds 30, later", "→ arrives", "we refund 30"),
    "theirs comes back": ("Stripe refunds 80", "→ comes back", "we refund 30"),
    "won": ("contested 60", "→ won", "Stripe refunds 50"),
    "lost": ("contested 60", "→ lost", "Stripe refunds 20"),
    "lost after ours": ("we refund 30", "contested 60", "→ lost"),
    "lost beyond what was left": ("Stripe refunds 80", "contested whole", "→ lost"),
    "lost beyond, theirs comes back": ("Stripe refunds 80", "→ comes back", "contested whole", "→ lost"),
    "lost beyond, ours comes back": ("we refund 40, later", "→ comes back", "contested whole", "→ lost"),
    "lost beyond, ours arrives": ("we refund 40, later", "→ arrives", "contested whole", "→ lost"),
}
# Before the credits exist nothing is spent, and operations refund nothing.
BEFORE_THE_MINT = {
    "refund": ("minting goes on", "Stripe refunds 20"),
    "refund comes back": ("Stripe refunds 80", "→ comes back"),
    "whole": ("minting goes on", "Stripe refunds all"),
    "lost": ("minting goes on", "contested 60", "→ lost"),
    "won": ("minting goes on", "contested 60", "→ won"),
    "arrives after it was lost": ("Stripe refunds 30, later", "contested whole", "→ lost", "→ arrives"),
    "comes back after it was lost": ("Stripe refunds 80", "contested whole", "→ lost", "→ comes back"),
    "comes back after the mint": ("minting goes on", "Stripe refunds 80", "→ comes back"),
    "comes back, then refunded anew": ("minting goes on", "Stripe refunds 30", "→ comes back", "Stripe refunds 80"),
    "comes back, ours in between": ("Stripe refunds 30", "minting goes on", "we refund 30", "→ comes back"),
}
# Chosen orders, too long to take all: a refund that was wholly beyond, and money that comes back after the mint.
LONG = {
    "lost after the mint, then it comes back": (
        "Stripe refunds 30",
        "minting goes on",
        "contested whole",
        "→ lost",
        "→ comes back",
    ),
    "comes back while it is contested, lost": (
        "Stripe refunds 30",
        "minting goes on",
        "contested 60",
        "→ comes back",
        "→ lost",
    ),
    "comes back while it is contested, won": (
        "Stripe refunds 30",
        "minting goes on",
        "contested 60",
        "→ comes back",
        "→ won",
    ),
    "comes back while minting is suspended, lost": (
        "Stripe refunds 30",
        "minting goes on",
        "spend 4",
        "minting stops",
        "→ comes back",
        "contested whole",
        "→ lost",
    ),
    "comes back while minting is suspended, refunded": (
        "Stripe refunds 30",
        "minting goes on",
        "minting stops",
        "→ comes back",
        "Stripe refunds 20",
        "we refund 30",
        "minting goes on",
        "Stripe refunds 50",
    ),
    "waits, goes back, comes back again": (
        "Stripe refunds 30",
        "minting goes on",
        "minting stops",
        "→ comes back",
        "Stripe refunds 50",
        "spend all",
        "→ the second comes back",
        "minting goes on",
    ),
    "wholly beyond before the mint, covered by those that come back": (
        "Stripe refunds 40",
        "Stripe refunds 20",
        "Stripe refunds 40, later",
        "contested 40",
        "→ lost",
        "→ the third arrives",
        "→ comes back",
        "→ the second comes back",
        "minting goes on",
    ),
}
BY_HTTP = (
    "refunds, ours and theirs",
    "ours comes back",
    "lost after ours",
    "lost beyond, theirs comes back",
)


def orders(steps: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every order of these steps that keeps what ends something behind what begins it."""
    for order in permutations(steps):
        if all(_has_begun(step, order[:place]) for place, step in enumerate(order)):
            yield order


def _has_begun(step: str, before: tuple[str, ...]) -> bool:
    if step in ("→ won", "→ lost"):
        return any(one.startswith("contested") for one in before)
    if step in ("→ arrives", "→ comes back"):
        return any("refund" in one for one in before)
    return True


def cases() -> Iterator[tuple[str, ...]]:
    """Every order of every story: nothing spent; and something spent, what and when taken in turn."""
    turn = count()
    for story in STORIES.values():
        for order in orders(story):
            yield order
            number = next(turn)
            place = number // len(SPENDING) % (len(order) + 1)
            yield (*order[:place], SPENDING[number % len(SPENDING)], *order[place:])


def live(world: World, charge: Charge, order: tuple[str, ...], *, late: bool = False) -> None:
    """Step by step, the books checked after each; `late`: nothing is heard until all has happened."""
    for name in order:
        if name == "minting goes on":
            resume()
            mint_waiting()
        elif name == "minting stops":
            suspend()
        else:
            STEPS[name](charge)
        if not late:
            world.hear()
            world.check([charge])
    world.hear()
    world.check([charge])


@pytest.fixture
def http(stripe_sandbox, settings):
    settings.STRIPE_SECRET_KEY = KEY
    settings.STRIPE_API_BASE = stripe_sandbox.url
    return stripe_sandbox


@pytest.mark.parametrize("order", cases(), ids=" / ".join)
def test_every_order__ends_in_the_same_books(order):
    world = PaperWorld(seed=" / ".join(order))
    live(world, Charge(world), order)


@pytest.mark.parametrize(
    "order", [order for story in BEFORE_THE_MINT.values() for order in orders(story)], ids=" / ".join
)
def test_every_order__before_and_after_the_mint(order):
    world = PaperWorld(seed=" / ".join(order))
    suspend()
    charge = Charge(world, minted=False)
    world.hear()
    live(world, charge, order)


@pytest.mark.parametrize("story", LONG)
def test_long_story__ends_in_the_same_books(story):
    world = PaperWorld(seed=story)
    suspend()
    charge = Charge(world, minted=False)
    world.hear()
    live(world, charge, LONG[story])


@pytest.mark.parametrize("story", BY_HTTP)
@pytest.mark.parametrize("late", [False, True], ids=["heard at once", "heard at the end"])
def test_story__by_stripes_own_webhooks(http, story, late):
    world = HttpWorld(http, seed=story)
    order = (*STORIES[story][:1], "spend 4", *STORIES[story][1:])
    live(world, Charge(world), order, late=late)


def test_charges_of_one_world__keep_apart(http):
    world = HttpWorld(http, seed="several")
    charges = [Charge(world) for _ in range(3)]
    for charge, name in zip(charges, ("we refund 30", "Stripe refunds all", "contested whole"), strict=True):
        STEPS[name](charge)
    charges[2].dispute_ends("lost")
    world.hear()
    told = world.check(charges)
    assert (told.paid, told.refunded, told.lost) == (300, 130, 100)


def test_with_the_bank__stripes_balance_and_the_bank_are_what_is_booked(http, mercury_sandbox):
    """Pay-outs between the steps, the last one negative: Stripe takes it from the bank."""
    world = BankWorld(http, mercury_sandbox, seed="bank")
    charge, other = Charge(world), Charge(world)
    for name in ("pays out", "we refund 30", "Stripe refunds 20", "pays out", "contested 40", "→ lost", "pays out"):
        world.pay_out() if name == "pays out" else STEPS[name](charge)
        world.hear()
        world.check([charge, other])
    assert len(world.paid_out) == 3
    assert min(world.paid_out) < 0 < world.at_the_bank()


CENTS = st.integers(1, 10_000).map(lambda cents: f"{cents // 100}.{cents % 100:02}")


@st.composite
def moments(draw: st.DrawFn) -> tuple[str, str, int]:
    """One thing that befalls a charge: what, of how many dollars, of which refund."""
    what = draw(st.sampled_from(("spend", "stake", "ours", "ours later", "theirs", "theirs later", "contest",
                                 "arrives", "comes back", "won", "lost", "hear")))  # fmt: skip
    return what, draw(CENTS), draw(st.integers(0, 3))


def befall(world: World, charge: Charge, what: str, usd: str, number: int) -> None:
    credits = str(Decimal(usd) / 10)
    {
        "spend": lambda: charge.spend(credits),
        "stake": lambda: charge.stake(credits),
        "ours": lambda: charge.we_refund(usd),
        "ours later": lambda: charge.we_refund(usd, "pending"),
        "theirs": lambda: charge.stripe_refunds(usd),
        "theirs later": lambda: charge.stripe_refunds(usd, "pending"),
        "contest": lambda: charge.contest(usd),
        "arrives": lambda: charge.refund_ends(number, "succeeded"),
        "comes back": lambda: charge.refund_ends(number, "failed"),
        "won": lambda: charge.dispute_ends("won"),
        "lost": lambda: charge.dispute_ends("lost"),
        "hear": world.hear,
    }[what]()


@settings(max_examples=15)
@given(befallen=st.lists(moments(), min_size=2, max_size=9), seed=st.text(max_size=4))
def test_whatever_befalls__the_books_agree_when_all_is_heard(befallen, seed):
    world = PaperWorld(seed=seed)
    charge = Charge(world)
    for what, usd, number in befallen:
        befall(world, charge, what, usd, number)
    world.hear()
    world.check([charge])
