"""The member menu and the back office's menu show what a person may open."""

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.test import RequestFactory

from habitat.faces import back_office, navigation
from habitat.faces.navigation import NavItem
from tests.faces.people import reader

pytestmark = pytest.mark.django_db


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(navigation, "_registered", {})
    navigation.register(
        [
            NavItem("/b/", "Second", 20),
            NavItem("/a/", "First", 10, badge=lambda request: 3, badge_word="unread"),
            NavItem("/a/deep/", "Deep", 15),
            NavItem("/c/", "Closed", 30, permission="members.view_member"),
        ]
    )


def request_of(user, path="/"):
    request = RequestFactory().get(path)
    request.user = user
    return request


def test_menu__in_order_with_its_count(registered):
    items = navigation.shown(request_of(reader().user))
    assert [(item.title, item.count) for item in items] == [("First", 3), ("Deep", 0), ("Second", 0)]


@pytest.mark.parametrize(
    ("path", "marks"),
    [
        ("/a/", {"First": "page"}),
        ("/a/deep/", {"Deep": "page"}),
        ("/a/deep/7/", {"Deep": "true"}),
        ("/a/other/", {"First": "true"}),
        ("/z/", {}),
    ],
)
def test_menu__marks_the_nearest_page(registered, path, marks):
    items = navigation.shown(request_of(reader().user, path))
    assert {item.title: item.current for item in items if item.current} == marks


def test_menu__a_permission_opens_an_item(registered):
    user = reader("0", "members.view_member").user
    assert "Closed" in [item.title for item in navigation.shown(request_of(user))]


def test_menu__nobody_sees_nothing(registered):
    assert navigation.shown(request_of(AnonymousUser())) == []


def test_back_office__groups_by_floor_and_shows_only_what_may_be_opened():
    user = reader().user
    user.is_staff = True
    few = back_office.navigation(request_of(user))
    assert [item["title"] for group in few[1:] for item in group["items"]] == ["Rate cards"]
    user.user_permissions.set(Permission.objects.all())
    full = back_office.navigation(request_of(type(user).objects.get(pk=user.pk)))
    known = [title for _, title in back_office.FLOORS]
    titles = [group["title"] for group in full if group["title"] in known]
    assert titles == [title for title in known if title in titles]
