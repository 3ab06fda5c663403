"""A member at Stripe's payment page in tests: the sandbox plays Stripe, this process is the worker."""

import pytest

from cloud_credits.models import Purchase
from habitat.events.workflows import deliveries
from habitat.members.models import Member
from habitat.workflows.workflows import sagas
from tests.sandboxes import Sandbox
from tests.treasury.stripe_side import KEY, StripeSide


@pytest.fixture
def stripe(stripe_sandbox: Sandbox, settings) -> StripeSide:
    """The house's Stripe, empty."""
    settings.STRIPE_API_BASE, settings.STRIPE_SECRET_KEY = stripe_sandbox.url, KEY
    return StripeSide(stripe_sandbox)


def hear(stripe: StripeSide) -> None:
    """Everything Stripe has to tell is heard, and what follows from it is done."""
    stripe.tell()
    for _ in range(3):
        deliveries.drain()
        sagas.drain()
    deliveries.drain()


def latest(member: Member) -> Purchase:
    return Purchase.objects.filter(member=member).latest("pk")
