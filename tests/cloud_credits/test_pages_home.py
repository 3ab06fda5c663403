"""`/cloud/` and the frame of every member page."""

import pytest

from cloud_credits.actions.staking import stake
from habitat.money import cloud
from tests.faces.people import browser, reader
from tests.factories import actor, key, make_member

pytestmark = pytest.mark.django_db


def body(response):
    assert response.status_code == 200, response.content[:500]
    return response.content.decode()


def test_home__liquid_comes_first_each_card_with_its_dollars():
    member = reader("120.50")
    member.is_investor = True
    member.save()
    stake(member=member, amount=cloud("20"), days=90, idempotency_key=key(), acting=actor(member))

    page = body(browser(member).get("/cloud/"))

    liquid, staked, total = (
        page.index("100.5 <span"),
        page.index("20 <span", page.index("Staked")),
        page.index("120.5 <span"),
    )
    assert liquid < staked < total
    for dollars in ("$1,005.00", "$200.00", "$1,205.00"):
        assert dollars in page


def test_home__chart_has_its_table():
    page = body(browser(reader("5")).get("/cloud/"))
    assert "<svg" in page
    assert "The numbers as a table" in page


def test_home__a_member_without_identity_reads_why():
    page = body(browser(reader(identity=False)).get("/cloud/"))
    assert "No cloud identity yet" in page


def test_home__nothing_yet():
    page = body(browser(reader()).get("/cloud/"))
    assert "Nothing has moved yet" in page


def test_home__a_sign_in_without_membership_reads_why(django_user_model):
    user = django_user_model.objects.build(email="staff@example.org", password="x" * 12)
    user.save()
    from django.test import Client

    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert "This sign-in has no membership" in body(client.get("/cloud/"))


def test_home__asks_for_sign_in(client):
    response = client.get("/cloud/")
    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/cloud/"


def test_home__menu_marks_the_page_and_hides_what_is_not_mine():
    page = body(browser(reader()).get("/cloud/"))
    assert '<a href="/cloud/" aria-current="page">' in page
    assert "/admin/" not in page


@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/cloud/", "/cloud/transfer/", "/rate-cards/"])
def test_pages__content_security_is_strict(path):
    client = browser(reader("1")) if path.startswith(("/cloud", "/rate")) else __import__("django.test").test.Client()
    response = client.get(path)
    policy = response["Content-Security-Policy"]
    directives = {directive.strip() for directive in policy.split(";")}
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= directives
    assert "unsafe" not in policy
    page = response.content.decode()
    assert "style=" not in page
    assert "onclick=" not in page


def test_landing__is_public_and_leads_to_sign_in(client):
    page = body(client.get("/"))
    assert "/accounts/login/" in page


def test_landing__a_member_goes_to_their_credits():
    response = browser(reader()).get("/")
    assert (response.status_code, response["Location"]) == (302, "/cloud/")


def test_pages__a_wrong_method_is_refused_in_words():
    response = browser(reader()).get("/cloud/transfer/confirm/")
    assert response.status_code == 405
    assert response["Allow"] == "POST"
    assert "This address does not work that way" in response.content.decode()


def test_pages__not_found_is_a_page_and_under_api_a_problem(client):
    assert "There is nothing here" in client.get("/nowhere/").content.decode()
    response = client.get("/api/nowhere/")
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "not_found"


def test_home__costs_a_known_number_of_queries(django_assert_num_queries):
    member = reader("5")
    other = make_member()
    client = browser(member)
    client.get("/cloud/")
    with django_assert_num_queries(HOME_QUERIES):
        client.get("/cloud/")
    from cloud_credits.actions.transfers import transfer

    for _ in range(4):
        transfer(sender=member, recipient=other, amount=cloud("1"), idempotency_key=key(), acting=actor(member))
    with django_assert_num_queries(HOME_QUERIES):
        client.get("/cloud/")


HOME_QUERIES = 15
