"""What exists on this floor."""

from habitat.workflows.models.jobs import Job, JobQuerySet
from habitat.workflows.models.sagas import Execution, ExecutionQuerySet, Step

__all__ = ["Execution", "ExecutionQuerySet", "Job", "JobQuerySet", "Step"]
