"""What a member has been told."""

from habitat.notifications.models import Notification


def unread_count(member_id: int) -> int:
    """How many notices the member has not read: reads only the partial index of unread ones."""
    return Notification.objects.filter(member_id=member_id).unread().count()
