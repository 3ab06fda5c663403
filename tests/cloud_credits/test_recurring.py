"""Recurring purchases follow Stripe; what the house paused itself goes on when the reserve is well again."""

import pytest

from cloud_credits.actions import purchases, recurring
from cloud_credits.models import RecurringPurchase
from cloud_credits.policies.purchases import PAUSED_BY_BACKING, PurchaseKind, RecurringChange
from cloud_credits.workflows import purchases as flow
from habitat.members.policies.actors import SYSTEM
from habitat.workflows.models import Execution
from habitat.workflows.workflows import sagas
from tests.cloud_credits.at_stripe import hear
from tests.cloud_credits.bought import buyer, check_backing, wish
from tests.factories import actor

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


# --- a subscription that ended at Stripe, of which no webhook came


@pytest.fixture
def ended_unheard(stripe) -> RecurringPurchase:
    check_backing()
    purchase = wish(buyer(), "2", kind=PurchaseKind.RECURRING)
    sagas.drain()
    purchase.refresh_from_db()
    stripe.sandbox.control("pay", session=purchase.session_id)
    hear(stripe)
    found = RecurringPurchase.objects.get()
    stripe.gateway.cancel_subscription(found.subscription_id, idempotency_key="in the dashboard")
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("to", [RecurringChange.CANCEL, RecurringChange.PAUSE])
def test_change__of_a_subscription_that_is_over__ends_it_here_too(ended_unheard, to):
    """Else its member could neither end it nor ever begin another one: Stripe refuses each change of it."""
    asked = actor(ended_unheard.member)
    execution = recurring.change(recurring=ended_unheard, to=to, idempotency_key="k", acting=asked)

    found = flow.change_now(execution, ended_unheard)

    assert Execution.objects.get(pk=execution.pk).state == "completed"
    assert found.state == "cancelled"
    because = "" if to is RecurringChange.CANCEL else "Changed at Stripe"
    assert found.paused_because == because


@pytest.mark.django_db(transaction=True)
def test_change__refused_by_stripe_while_the_subscription_lives__changes_nothing(stripe):
    check_backing()
    purchase = wish(buyer(), "1", kind=PurchaseKind.RECURRING)
    found = recurring.activate(recurring_id=purchase.recurring_id, subscription_id="sub_unknown", acting=SYSTEM)
    execution = recurring.change(
        recurring=found, to=RecurringChange.CANCEL, idempotency_key="k", acting=actor(found.member)
    )
    assert flow.change_now(execution, found).state == "active"
    assert Execution.objects.get(pk=execution.pk).state == "compensated"
