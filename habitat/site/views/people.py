"""`/admin/people/<id>/`: one member whole, for who may see members."""

from typing import Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from habitat.members.models import Member
from habitat.members.reports.actors import actor_of
from habitat.site.reports.people import RECENT, USAGE_DAYS, person

PERMISSION: Final = "members.view_member"


@require_safe
def person_page(request: HttpRequest, member_id: int) -> HttpResponseBase:
    """Reads only; the verbs stand on the member's own page."""
    may = actor_of(request.user).may
    if not may(PERMISSION):
        raise PermissionDenied
    visible = Member.objects.visible_to(request.user).select_related("user")
    member = get_object_or_404(visible, pk=member_id)
    context = admin.site.each_context(request) | {
        "title": member.display_name,
        "person": person(member, may=may),
        "recent": RECENT,
        "usage_days": USAGE_DAYS,
    }
    return TemplateResponse(request, "site/person.html", context)
