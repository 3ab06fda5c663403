"""What this floor does by the clock."""

from typing import Final

from habitat.workflows.policies.jobs import Every, JobDefinition

JOBS: Final = (
    JobDefinition(
        name="notifications.watch_webhooks",
        every=Every.FIVE_MINUTES,
        run="habitat.notifications.workflows.webhook_upkeep.watch",
        help="Gives up the oldest messages of endpoints for which too many wait, with an alert.",
    ),
    JobDefinition(
        name="notifications.trim_webhooks",
        every=Every.DAY,
        run="habitat.notifications.workflows.webhook_upkeep.trim",
        help="Throws away webhook deliveries that were finished long ago, and gives up those that can reach nobody.",
        # What is old now is, however many nights were missed.
        catch_up=1,
    ),
)
