"""What exists on this floor."""

from habitat.notifications.models.notices import (
    Email,
    EmailQuerySet,
    Notification,
    NotificationQuerySet,
    Preference,
    PreferenceQuerySet,
)

__all__ = ["Email", "EmailQuerySet", "Notification", "NotificationQuerySet", "Preference", "PreferenceQuerySet"]
