"""`/terms/`: the terms of service as published, every version of them, and a member's agreement."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_safe

from cloud_credits.actions.terms import accept
from cloud_credits.models import TermsVersion
from cloud_credits.reports import terms as reports
from habitat.errors import HabitatError
from habitat.faces.pages import MemberPage
from habitat.faces.prose import render_prose
from habitat.members.reports.actors import actor_of

LONGEST_ADDRESS = 500
LARGEST_VERSION = 2**31 - 1


class AcceptForm(forms.Form):
    version = forms.IntegerField(min_value=1, max_value=LARGEST_VERSION)
    agree = forms.BooleanField(error_messages={"required": "Tick the box if you agree."})


@require_safe
def terms(request: HttpRequest, version: int | None = None) -> HttpResponse:
    """The version that stands, or an earlier one: for everybody, signed in or not."""
    found = reports.current() if version is None else reports.numbered(version)
    if found is None:
        raise Http404
    return show(request, found)


class AcceptTerms(MemberPage):
    """POST only: the member agrees to the version they read, and goes on to where they came from."""

    http_method_names = ["post", "options"]

    def post(self, request: HttpRequest) -> HttpResponse:
        form = AcceptForm(request.POST)
        if not form.is_valid():
            return show(request, reports.current(), refusal="Tick the box if you agree.", status=422)
        try:
            accept(member=self.member, version=form.cleaned_data["version"], acting=actor_of(request.user))
        except HabitatError as refusal:
            return show(request, reports.current(), refusal=refusal.sentence, status=refusal.status)
        messages.success(request, "Thank you. You accepted the terms.")
        return redirect(next_of(request) or "/cloud/")


def next_of(request: HttpRequest) -> str:
    """An address of this house to go on to; empty for anything else."""
    asked = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = asked.startswith("/") and url_has_allowed_host_and_scheme(asked, allowed_hosts=None)
    return asked if is_ours and len(asked) <= LONGEST_ADDRESS else ""


def show(request: HttpRequest, version: TermsVersion, *, refusal: str = "", status: int = 200) -> HttpResponse:
    member = getattr(request.user, "member", None)
    standing = reports.current()
    context = {
        "terms": version,
        "text": render_prose(version.body.removeprefix(f"# {version.title}\n")),
        "standing": standing,
        "others": reports.all_but(version),
        "is_member": member is not None,
        "accepted_at": reports.accepted_at(member.pk, version) if member is not None else None,
        "next": next_of(request),
        "refusal": refusal,
    }
    return render(request, "cloud_credits/terms.html", context, status=status)
