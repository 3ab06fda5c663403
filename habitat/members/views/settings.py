"""The reader's own settings: profile, sign-in, second factor, sessions, and what upper floors add."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from habitat.errors import HabitatError
from habitat.members.actions import members
from habitat.members.actions.roles import held_roles
from habitat.members.models import Member
from habitat.members.policies.roles import Role
from habitat.members.reports.actors import actor_of
from habitat.members.views.middleware import SECOND_FACTORS


@dataclass(frozen=True, slots=True)
class SettingsSection:
    """A part of the page that an upper floor brings: `template` is rendered with `context(request)`."""

    order: int
    title: str
    template: str
    context: Callable[[HttpRequest], dict[str, Any]]


_sections: dict[str, SettingsSection] = {}


def register_section(section: SettingsSection) -> None:
    """Called from AppConfig.ready of an upper floor; the same title again replaces the former."""
    _sections[section.title] = section


class NameForm(forms.Form):
    display_name = forms.CharField(label="Name shown to other members", max_length=120)


@require_GET
@login_required
def settings_page(request: HttpRequest) -> HttpResponse:
    member = _member(request)
    form = NameForm(initial={"display_name": member.display_name}) if member else None
    return _page(request, member, form, status=200)


@require_POST
@login_required
def change_name(request: HttpRequest) -> HttpResponse:
    """A member renames themself; the history says that they did."""
    member = _member(request)
    if member is None:
        return redirect("member_settings")
    form = NameForm(request.POST)
    if not form.is_valid():
        return _page(request, member, form, status=422)
    try:
        members.rename(
            member=member,
            display_name=form.cleaned_data["display_name"],
            reason="changed on the settings page",
            acting=actor_of(request.user),
        )
    except HabitatError as error:
        form.add_error(error.field if error.field in form.fields else None, error.sentence)
        return _page(request, member, form, status=error.status)
    messages.success(request, "Your name is changed.")
    return redirect("member_settings")


def _member(request: HttpRequest) -> Member | None:
    return Member.objects.filter(user=request.user).first()


def _page(request: HttpRequest, member: Member | None, form: NameForm | None, status: int) -> HttpResponse:
    held = held_roles(request.user)
    sections = sorted(_sections.values(), key=lambda section: (section.order, section.title))
    context = {
        "member": member,
        "form": form,
        "roles": [role.value for role in Role if role in held],
        "has_second_factor": is_mfa_enabled(request.user, SECOND_FACTORS),
        "sections": [(section, section.context(request)) for section in sections],
    }
    return render(request, "members/settings.html", context, status=status)
