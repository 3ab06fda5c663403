"""`/notifications/`: what the member was told, newest first; read by POST, one or all."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from habitat.faces.pages import MemberPage
from habitat.members.reports.actors import actor_of
from habitat.notifications.actions.notify import mark_all_read, mark_read
from habitat.notifications.models import Notification

PAGE = 25


class NoticesPage(MemberPage):
    """GET: the list, all or only what is unread."""

    def get(self, request: HttpRequest) -> HttpResponse:
        own = Notification.objects.visible_to(request.user).filter(member=self.member)
        only_unread = request.GET.get("show") == "unread"
        rows = own.unread() if only_unread else own
        context = {
            "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
            "only_unread": only_unread,
            "unread": own.unread().count(),
        }
        return render(request, "notifications/notices.html", context)


class ReadPage(MemberPage):
    """POST: this notice is read; on to what it is about, or back to the list."""

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest, notification_id: int) -> HttpResponse:
        notice = get_object_or_404(Notification.objects.visible_to(request.user), pk=notification_id)
        mark_read(notification=notice, acting=actor_of(request.user))
        follow = request.POST.get("follow") == "yes" and notice.link.startswith("/") and notice.link[1:2] not in "/\\"
        return redirect(notice.link if follow and notice.link else "notifications")


class ReadAllPage(MemberPage):
    """POST: everything is read."""

    http_method_names = ("post", "options")

    def post(self, request: HttpRequest) -> HttpResponse:
        count = mark_all_read(member=self.member, acting=actor_of(request.user))
        messages.success(request, f"{count} marked as read." if count else "There was nothing unread.")
        return redirect("notifications")
