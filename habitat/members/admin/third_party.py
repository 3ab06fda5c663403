"""Other packages' admin pages: they write past our actions, so they are taken away or made to read only."""

import importlib

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
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

# Django's own sign-in form knows no second factor.
admin.site.login = secure_admin_login(admin.site.login)
