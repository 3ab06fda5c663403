"""Other packages' admin pages: they write past our actions, so they are taken away or made to read only."""

import importlib
from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django_q.models import Failure, OrmQ, Schedule, Success

from habitat.faces.admin import read_only
from habitat.members.admin.users import RoleAdmin

# Autodiscovery comes to these packages after us; imported now, they register now and never again.
for package in ("django.contrib.auth", "allauth.account", "allauth.mfa", "allauth.usersessions", "django_q"):
    importlib.import_module(f"{package}.admin")

# Second factors hold secrets, and addresses and sessions belong to their owners' own pages.
for model in (EmailAddress, Authenticator, UserSession, Group):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
admin.site.register(Group, RoleAdmin)

for model in (Schedule, Success, Failure, OrmQ):
    if admin.site.is_registered(model):
        theirs = type(admin.site.get_model_admin(model))
        admin.site.unregister(model)
        admin.site.register(model, read_only(theirs))


def _at_the_front_door(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Django's own sign-in form knows no second factor and no limit: it is never shown and reads nothing.

    Not allauth's `secure_admin_login` alone: to whoever is signed in already it still opens Django's form, by which
    staff would change to another sign-in with a password only.
    """
    site: AdminSite = admin.site
    if site.has_permission(request):
        return redirect("admin:index")
    return secure_admin_login(_not_for_you)(request)


def _not_for_you(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def _own_password(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """A password changes on the member's own pages, where everybody's does."""
    return redirect("account_change_password")


admin.site.login = _at_the_front_door
admin.site.password_change = _own_password
