"""Stripe's balance, kept whenever it was asked."""

from decimal import Decimal

from django.db import transaction

from habitat.members.policies.actors import Actor
from treasury.models import StripeReading


@transaction.atomic
def record(*, available: Decimal, pending: Decimal, acting: Actor) -> StripeReading:
    """Keep what Stripe said it holds now; USD, either may be negative."""
    return StripeReading.objects.create(available=available, pending=pending)
