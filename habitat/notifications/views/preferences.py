"""`/settings/notifications/`: which notices the member wants, and how."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from habitat.faces.pages import MemberPage
from habitat.members.reports.actors import actor_of
from habitat.notifications.actions.preferences import choose
from habitat.notifications.policies.channels import Channel
from habitat.notifications.policies.types import types
from habitat.notifications.reports.preferences import choices


class PreferencesPage(MemberPage):
    """GET: a table of tick boxes. POST: each box as it stands; a kind the form did not show keeps its choice, and
    what always reaches the member is no choice."""

    def get(self, request: HttpRequest) -> HttpResponse:
        context = {"choices": choices(self.member.pk), "channels": list(Channel)}
        return render(request, "notifications/preferences.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        shown = set(request.POST.getlist("shown"))
        wanted = {
            (kind.code, channel): f"{kind.code}:{channel.value}" in request.POST
            for kind in types()
            if kind.code in shown
            for channel in Channel
            if channel not in kind.always
        }
        choose(member=self.member, wanted=wanted, acting=actor_of(request.user))
        messages.success(request, "Saved.")
        return redirect("notification-preferences")
