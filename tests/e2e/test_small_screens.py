"""The back office on a phone: nothing scrolls sideways but the regions that a keyboard can scroll."""

import pytest

from habitat.members.policies.actors import SYSTEM
from tests.e2e.watching import width_needed
from tests.site.doors import furnish
from tests.treasury.money_in import received
from treasury.actions import backing
from treasury.models import Payment

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.chromium, pytest.mark.slow]

NARROW = 320

# What sticks out to the right of its section, or of the page, and in no region that a keyboard can scroll.
STICKS_OUT = """() => [...document.querySelectorAll("main *, #main *, .office *, .verb-history *")]
    .filter(one => {
        const box = one.getBoundingClientRect();
        if (!box.width || one.closest(".visually-hidden, select")) return false;
        const stacked = one.matches(".office-stack, .verb-history table");
        if (stacked && one.scrollWidth > one.parentElement.clientWidth) return true;
        const region = one.closest("[role=region][tabindex='0']");
        if (region && region !== one) return false;
        const card = one.closest(".office section, .verb-history");
        const edge = card ? card.getBoundingClientRect().right : innerWidth;
        return box.right > edge + 1;
    })
    .map(one => one.tagName + " " + one.className + " " + one.textContent.trim().slice(0, 40))"""


def test_back_office__fits_a_small_screen(visit):
    """A payment whole with a long reference, a history with long reasons, the home: all wider than a phone."""
    house = furnish()
    friend = Payment.objects.latest("pk").member
    payment = received(reference="pi_3QxYzAbCdEfGhIjKlMnOpQrS", member=friend)
    backing.suspend_minting(reason="The bank has not answered since this morning.", acting=SYSTEM)
    page = visit(house.people["operations"], width=NARROW)
    wrong = []
    for path in ("/admin/", f"/admin/trace/?by=payment&q={payment.pk}", "/admin/treasury/mintswitch/1/change/"):
        page.goto(path)
        if width_needed(page) > NARROW:
            wrong.append(f"{path}: {width_needed(page)} px wide on a screen of {NARROW}")
        wrong += [f"{path}: {finding}" for finding in page.evaluate(STICKS_OUT)]

    assert not wrong, "\n".join(wrong)
