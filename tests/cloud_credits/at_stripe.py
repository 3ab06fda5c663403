"""A member at Stripe's payment page in tests: the sandbox plays Stripe, this process is the worker."""

from cloud_credits.models import Purchase
from habitat.events.workflows import deliveries
from habitat.members.models import Member
from habitat.workflows.workflows import sagas
from tests.treasury.stripe_side import StripeSide


def hear(stripe: StripeSide) -> None:
    """Everything Stripe has to tell is heard, and what follows from it is done."""
    stripe.tell()
    for _ in range(3):
        deliveries.drain()
        sagas.drain()
    deliveries.drain()


def latest(member: Member) -> Purchase:
    return Purchase.objects.filter(member=member).latest("pk")
