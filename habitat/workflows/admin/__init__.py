"""The back office of this floor."""

from habitat.workflows.admin.jobs import JobAdmin
from habitat.workflows.admin.sagas import ExecutionAdmin

__all__ = ["ExecutionAdmin", "JobAdmin"]
