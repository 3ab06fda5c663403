"""The member's pages: own notices only, changes by POST only."""

import pytest
from django.test import Client

from habitat.members.models import Member, User
from habitat.notifications.models import Notification
from habitat.notifications.policies.channels import Channel
from habitat.notifications.policies.types import type_of
from habitat.notifications.reports.preferences import channels
from tests.members import people
from tests.notifications.test_notify import ring, tell

pytestmark = pytest.mark.django_db


def signed_in(member: Member) -> Client:
    client = Client()
    client.force_login(User.objects.get(pk=member.user_id))
    return client


def test_list__shows_own_notices_and_nobody_elses() -> None:
    ada, bo = people.active("Ada"), people.active("Bo")
    tell(ada, ring(), subject="For Ada")
    tell(bo, ring(), subject="For Bo <script>")
    page = signed_in(bo).get("/notifications/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "For Bo &lt;script&gt;" in text
    assert "For Ada" not in text
    assert "1 unread." in text


def test_list__says_why_it_is_empty() -> None:
    client = signed_in(people.active("Ada"))
    assert "Nothing yet" in client.get("/notifications/").content.decode()
    assert "You have read all there is." in client.get("/notifications/?show=unread").content.decode()


def test_read__by_post_and_only_own() -> None:
    ada, bo = people.active("Ada"), people.active("Bo")
    tell(ada, ring())
    notice = Notification.objects.get()
    path = f"/notifications/{notice.pk}/read/"
    assert signed_in(ada).get(path).status_code == 405
    assert signed_in(bo).post(path).status_code == 404
    assert Client().post(path).status_code == 302
    assert Notification.objects.unread().count() == 1
    answer = signed_in(ada).post(path, {"follow": "yes"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/cloud/")
    assert Notification.objects.unread().count() == 0


@pytest.mark.parametrize("link", ["//evil.example/", "/\\evil.example", "https://evil.example/", ""])
def test_read__never_leads_off_the_site(link: str) -> None:
    ada = people.active("Ada")
    tell(ada, ring(), link=link)
    answer = signed_in(ada).post(f"/notifications/{Notification.objects.get().pk}/read/", {"follow": "yes"})
    assert answer.headers["Location"] == "/notifications/"


def test_read_all__by_post() -> None:
    ada, bo = people.active("Ada"), people.active("Bo")
    for member in (ada, ada, bo):
        tell(member, ring())
    assert signed_in(ada).get("/notifications/read/").status_code == 405
    assert signed_in(ada).post("/notifications/read/").status_code == 302
    assert list(Notification.objects.unread().values_list("member_id", flat=True)) == [bo.pk]


def test_preferences__are_saved_as_shown() -> None:
    ada = people.active("Ada")
    client = signed_in(ada)
    text = client.get("/settings/notifications/").content.decode()
    assert 'name="bell.rang:email" checked' in text
    answer = client.post("/settings/notifications/", {"shown": ["bell.rang", "no.such"], "bell.rang:in_app": "on"})
    assert answer.status_code == 302
    assert channels(ada.pk, type_of("bell.rang")) == {Channel.IN_APP}
    assert channels(ada.pk, type_of("bell.whisper")) == {Channel.IN_APP}


def test_preferences__say_what_always_reaches_the_member_and_ask_for_the_rest() -> None:
    ada = people.active("Ada")
    client = signed_in(ada)
    text = client.get("/settings/notifications/").content.decode()
    assert '<input type="checkbox" checked disabled> On the site: always</label>' in text
    assert "It is for all." in text
    assert 'name="bell.alarm:in_app"' not in text
    assert 'name="bell.alarm:email" checked' in text
    answer = client.post("/settings/notifications/", {"shown": ["bell.alarm"]})
    assert answer.status_code == 302
    assert channels(ada.pk, type_of("bell.alarm")) == {Channel.IN_APP}


@pytest.mark.parametrize("path", ["/notifications/", "/settings/notifications/"])
def test_pages__need_sign_in(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 302
    assert "/accounts/login/" in answer.headers["Location"]
