"""This floor's place in the menu, with how many notices wait to be read."""

from django.http import HttpRequest

from habitat.faces.navigation import NavItem
from habitat.notifications.reports.notices import unread_count


def unread(request: HttpRequest) -> int:
    """What the badge shows: nothing for a reader without a membership."""
    member = getattr(request.user, "member", None)
    return unread_count(member.pk) if member is not None else 0


NAVIGATION = (NavItem("/notifications/", "Notifications", 40, badge=unread, badge_word="unread"),)
