"""What a refusal says to do next: whoever reads it acts on it, and should not have to ask."""

import pytest

from cloud_credits import errors as credits
from habitat.notifications import errors as notifications
from treasury import errors as treasury

SAID = (
    (
        credits.EventConflict(event_id="e-1"),
        "The event “e-1” was already recorded with other content. An id names one usage, for ever: if this is another "
        "usage, send it under an id of its own.",
    ),
    (
        credits.NoCardInForce(day="2020-01-01"),
        "No rate card was in force on 2020-01-01, so this usage has no price. Check its time; the days from which there"
        " are prices stand at /api/rate-cards/.",
    ),
    (
        credits.MeteredMemberUnknown(given="77"),
        "There is no member 77. Send the member number; it stands on the member's own pages.",
    ),
    (
        credits.SpendCapReached(cap="5", spent="4", needed="2", ends="2027-01-01"),
        "The member's own cap is 5 CLOUD of metered usage a month; 4 are spent and this needs 2. The next month begins "
        "on 2027-01-01; the member can raise the cap before, at /cloud/spending/.",
    ),
    (
        treasury.NoPeriod(on="2030-01-01"),
        "2030-01-01 lies in no accounting period, or every period from then on is closed. Operations can open the next "
        "one; then try again.",
    ),
    (
        notifications.WebhookKeyUnfit(name="ci"),
        "The key ci is revoked, expired or without the scope webhooks. Take a living one with that scope; operations "
        "issue them.",
    ),
    (
        notifications.WebhookNotInState(state="active"),
        "The endpoint is active, so this cannot be done. Messages go to it already.",
    ),
    (
        notifications.WebhookNotInState(state="disabled"),
        "The endpoint is disabled, so this cannot be done. Nothing is sent to it until it is switched on.",
    ),
    (
        notifications.WebhookNotInState(state="removed"),
        "The endpoint is removed, so this cannot be done. It never comes back: create another one at its address.",
    ),
)


@pytest.mark.parametrize(("refusal", "sentence"), SAID, ids=lambda given: getattr(given, "code", ""))
def test_refusal__says_what_to_do_next(refusal, sentence):
    assert refusal.sentence == sentence
