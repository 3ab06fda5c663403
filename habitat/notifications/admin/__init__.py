"""The back office of this floor."""

from habitat.notifications.admin.emails import EmailAdmin

__all__ = ["EmailAdmin"]
