"""What exists on this floor."""

from habitat.workflows.models.jobs import Job, JobQuerySet

__all__ = ["Job", "JobQuerySet"]
