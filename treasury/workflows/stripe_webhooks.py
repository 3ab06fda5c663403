"""A webhook at the door: its signature is judged, then it is kept; processing comes later."""

from habitat.members.policies.actors import SYSTEM
from treasury.actions import stripe_events
from treasury.errors import WebhookOfOtherMode
from treasury.gateways.stripe import expects_live, notice


def receive(*, body: bytes, signature: str) -> bool:
    """Keep what Stripe told; False when it was kept before.

    Raises WebhookSignatureInvalid, WebhookBodyInvalid, WebhookOfOtherMode; then nothing is kept.
    """
    told = notice(body, signature)
    if told.livemode != expects_live():
        raise WebhookOfOtherMode(theirs=_mode(told.livemode), ours=_mode(expects_live()))
    return stripe_events.store(event_id=told.id, type=told.type, payload=told.payload, acting=SYSTEM)


def _mode(live: bool) -> str:
    return "live" if live else "test"
