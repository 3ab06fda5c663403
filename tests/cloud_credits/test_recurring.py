"""Recurring purchases follow Stripe; what the house paused itself goes on when the reserve is well again."""

import pytest

from cloud_credits.actions import purchases, recurring
from cloud_credits.models import RecurringPurchase
from cloud_credits.policies.purchases import PAUSED_BY_BACKING, PurchaseKind, RecurringChange
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.models import Execution
from tests.cloud_credits.bought import buyer, check_backing, wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def running() -> RecurringPurchase:
    check_backing()
    purchase = wish(buyer(), "1", kind=PurchaseKind.RECURRING)
    return recurring.activate(recurring_id=purchase.recurring_id, subscription_id="sub_1", acting=SYSTEM)


def told_by_stripe(row: RecurringPurchase, to: RecurringChange) -> tuple[str, str]:
    found = recurring.follow_stripe(recurring_id=row.pk, to=to, acting=SYSTEM)
    return found.state, found.paused_because


def changes() -> list[str]:
    return list(
        Execution.objects.filter(saga="recurring_change").order_by("id").values_list("input__change", flat=True)
    )


def test_pause_of_the_house__stripes_word_before_the_sagas__goes_on_when_the_reserve_is_well(running):
    recurring.follow_backing(recurring_allowed=False, check_id="1", acting=SYSTEM)

    assert told_by_stripe(running, RecurringChange.PAUSE) == ("paused", PAUSED_BY_BACKING)

    assert recurring.follow_backing(recurring_allowed=True, check_id="2", acting=SYSTEM) == 1
    assert changes() == ["pause", "resume"]


def test_pause_at_stripe__is_nobodys_wish_here_and_stays_when_the_reserve_is_well(running):
    assert told_by_stripe(running, RecurringChange.PAUSE) == ("paused", "Changed at Stripe")

    assert recurring.follow_backing(recurring_allowed=True, check_id="2", acting=SYSTEM) == 0
    assert changes() == []


def test_wish_that_ended__lends_its_reason_to_no_later_change(running):
    recurring.follow_backing(recurring_allowed=False, check_id="1", acting=SYSTEM)
    recurring.changed(recurring_id=running.pk, to=RecurringChange.PAUSE, because=PAUSED_BY_BACKING, acting=SYSTEM)
    # The saga is over; Ada resumes and pauses at Stripe.
    Execution.objects.filter(saga="recurring_change").update(state="completed", finished_at="2026-01-01T00:00:00Z")
    assert told_by_stripe(running, RecurringChange.RESUME) == ("active", "")
    assert told_by_stripe(running, RecurringChange.PAUSE) == ("paused", "Changed at Stripe")


def test_cancel_at_stripe__while_a_pause_is_asked_for__is_not_the_pauses(running):
    recurring.follow_backing(recurring_allowed=False, check_id="1", acting=SYSTEM)
    assert told_by_stripe(running, RecurringChange.CANCEL) == ("cancelled", "Changed at Stripe")


def test_second_subscription__of_a_second_page_is_cancelled_at_stripe():
    """Two pages open, both paid: the first one runs, the other must not charge each month with nobody to stop it."""
    check_backing()
    ada = buyer()
    first, second = wish(ada, "1", kind=PurchaseKind.RECURRING), wish(ada, "2", kind=PurchaseKind.RECURRING)
    recurring.activate(recurring_id=first.recurring_id, subscription_id="sub_1", acting=SYSTEM)

    for _ in range(2):
        found = recurring.activate(recurring_id=second.recurring_id, subscription_id="sub_2", acting=SYSTEM)
        assert (found.state, found.subscription_id) == ("cancelled", "sub_2")
        assert found.paused_because == "Another recurring purchase was running already"

    [execution] = Execution.objects.filter(saga="recurring_change")
    assert (execution.input["change"], execution.input["subscription_id"]) == ("cancel", "sub_2")


def test_subscription__of_a_purchase_given_up_here_is_cancelled_at_stripe():
    """The bank debit failed, was tried again, and succeeded: nobody here waits for it any more."""
    check_backing()
    purchase = wish(buyer(), "1", kind=PurchaseKind.RECURRING)
    purchases.fail(purchase_id=purchase.pk, problem="The bank debit did not go through.", acting=SYSTEM)

    found = recurring.activate(recurring_id=purchase.recurring_id, subscription_id="sub_1", acting=SYSTEM)

    assert (found.state, changes()) == ("cancelled", ["cancel"])
