"""The back office of this floor."""

from habitat.workflows.admin.jobs import JobAdmin

__all__ = ["JobAdmin"]
