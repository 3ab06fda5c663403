"""What several of the floor's tests start from: the house's clock at a noon, its stewards, Stripe's sandbox."""

import pytest

from habitat.members.models import Member
from tests.clock import HouseClock
from tests.cloud_credits import governed
from tests.sandboxes import Sandbox
from tests.treasury.stripe_side import KEY, StripeSide


@pytest.fixture
def clock(house_clock: HouseClock) -> HouseClock:
    house_clock.at(governed.NOON)
    return house_clock


@pytest.fixture
def stewards(clock: HouseClock) -> list[Member]:
    return governed.make_stewards(3)


@pytest.fixture
def stripe(stripe_sandbox: Sandbox, settings) -> StripeSide:
    """The house's Stripe, empty."""
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = stripe_sandbox.url, KEY
    return StripeSide(stripe_sandbox)
