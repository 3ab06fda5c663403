"""`/cloud/transfer/`: form, preview, one confirmed transfer; refusals in the action's own words."""

import re
from decimal import Decimal

import pytest

from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from tests.cloud_credits.ledger import holds, row_counts
from tests.faces.people import api, browser, reader
from tests.factories import make_member, system_member

pytestmark = pytest.mark.django_db


def hidden(response):
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', response.content.decode()))


def preview(client, **asked):
    return client.post("/cloud/transfer/", {"recipient": "", "amount": "", "memo": ""} | asked)


def test_preview__names_amount_dollars_both_sides_and_what_cannot_be_undone():
    sender, recipient = reader("97.5"), make_member("Mara Quill")
    before = row_counts()

    response = preview(browser(sender), recipient=f"m{recipient.pk}.habitat.eth", amount="12.50", memo="eggs")

    page = response.content.decode()
    assert response.status_code == 200
    for words in (
        "12.5 CLOUD",
        "$125.00",
        "Mara Quill",
        f"member {recipient.pk}",
        "eggs",
        "85 CLOUD",
        "You cannot take this back.",
    ):
        assert words in page
    assert row_counts() == before


def test_confirm__sends_once_however_often_the_form_is_sent():
    sender, recipient = reader("97.5"), make_member()
    client = browser(sender)
    form = hidden(preview(client, recipient=str(recipient.pk), amount="10"))

    first = client.post("/cloud/transfer/confirm/", form, follow=True)
    second = client.post("/cloud/transfer/confirm/", form, follow=True)

    assert "Sent. The credits are in the recipient" in first.content.decode()
    assert "It was not made again." in second.content.decode()
    assert first.redirect_chain == second.redirect_chain
    assert holds(sender) == (Decimal("87.5"), Decimal(0))
    assert holds(recipient) == (Decimal(10), Decimal(0))


REFUSALS = [
    ("1000", "insufficient_balance"),
    ("0", "amount_not_positive"),
    ("-1", "amount_not_positive"),
    ("0.000000001", "too_many_decimals"),
    ("NaN", "amount_not_a_number"),
    ("1e3", "amount_not_a_number"),
    (str(10**30), "amount_too_large"),
]


@pytest.mark.parametrize(("amount", "code"), REFUSALS)
def test_refusal__page_preview_and_api_say_the_same(amount, code):
    sender, recipient = reader("97.5", name="Ada Brook"), make_member()
    before = row_counts()

    told = api(sender).post(
        "/api/transfers",
        {"recipient": str(recipient.pk), "amount": amount},
        format="json",
        headers={"Idempotency-Key": "k"},
    )
    shown = preview(browser(sender), recipient=str(recipient.pk), amount=amount)

    assert told.json()["code"] == code
    assert shown.status_code == told.status_code
    assert error_beside(shown, "amount") == told.json()["detail"]
    assert row_counts() == before


def error_beside(response, field):
    errors = response.context["form"].errors.get(field)
    assert errors, response.context["form"].errors
    assert f'id="id_{field}_error"' in response.content.decode()
    return errors[0]


@pytest.mark.parametrize("given", ["999999", "nobody.habitat.eth", "ñ"])
def test_refusal__unknown_recipient_beside_the_field(given):
    sender = reader("5")
    response = preview(browser(sender), recipient=given, amount="1")
    assert response.status_code == 404
    assert error_beside(response, "recipient") == f"There is no member “{given}”. Check the name or number."


def test_refusal__to_oneself_to_techne_to_somebody_suspended():
    sender = reader("5")
    client = browser(sender)
    assert "same member" in error_beside(preview(client, recipient=str(sender.pk), amount="1"), "recipient")
    techne = system_member(SystemAccount.TECHNE)
    assert "techne" in error_beside(preview(client, recipient=str(techne.pk), amount="1"), "recipient")
    other = make_member("Nils Fern")
    members.suspend(member=other, reason="a dispute", acting=SYSTEM)
    page = preview(client, recipient=str(other.pk), amount="1").content.decode()
    assert "Nils Fern is suspended" in page


def test_confirm__a_refusal_shows_the_form_again_and_writes_nothing():
    sender, recipient = reader("5"), make_member()
    before = row_counts()
    response = browser(sender).post(
        "/cloud/transfer/confirm/", {"recipient": str(recipient.pk), "amount": "6", "memo": "", "key": "k1"}
    )
    assert response.status_code == 402
    assert "to spend; this needs 6" in error_beside(response, "amount")
    assert row_counts() == before


def test_confirm__needs_the_token_of_its_form():
    from django.test import Client

    sender, recipient = reader("5"), make_member()
    client = Client(enforce_csrf_checks=True)
    client.force_login(sender.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    before = row_counts()
    response = client.post("/cloud/transfer/confirm/", {"recipient": str(recipient.pk), "amount": "1", "key": "k"})
    assert response.status_code == 403
    assert "This form is too old" in response.content.decode()
    assert row_counts() == before


def test_form__takes_its_first_values_from_the_address():
    page = browser(reader("5")).get("/cloud/transfer/?recipient=mara&amount=2").content.decode()
    assert 'value="mara"' in page
