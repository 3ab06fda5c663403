"""Signed-in readers for the tests of pages and API."""

from decimal import Decimal

from django.contrib.auth.models import Permission
from django.test import Client
from rest_framework.test import APIClient

from habitat.members.models import Member
from tests.factories import make_member


def reader(credits: str | Decimal = "0", *permissions: str, name: str = "", identity: bool = True) -> Member:
    """A member with a sign-in and, where named, permissions of their own."""
    number = Member.objects.count()
    member = make_member(name, credits=credits, identity=identity, email=f"reader{number}@example.org")
    for permission in permissions:
        app, codename = permission.split(".")
        member.user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return member


def browser(member: Member) -> Client:
    client = Client()
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def api(member: Member) -> APIClient:
    client = APIClient()
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client
