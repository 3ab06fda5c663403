"""This floor in the back office."""

from habitat.controls.admin import alerts, approvals, service_keys, settings

__all__ = ["alerts", "approvals", "service_keys", "settings"]
