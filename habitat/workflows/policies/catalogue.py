"""This floor's own jobs."""

from habitat.workflows.policies.jobs import Every, JobDefinition

JOBS = (
    JobDefinition(
        name="workflows.trim",
        every=Every.DAY,
        run="habitat.workflows.workflows.clock.trim",
        help="Throws away jobs done 30 days ago and the task queue's rows of two weeks ago.",
        catch_up=1,
    ),
    JobDefinition(
        name="workflows.watch_outbox",
        every=Every.FIVE_MINUTES,
        run="habitat.workflows.workflows.watch.watch_outbox",
        help="Raises an alert when deliveries stand still, and closes it when they move again.",
    ),
)
