"""What the roof does by the clock."""

from typing import Final

from habitat.workflows.policies.jobs import Every, JobDefinition

JOBS: Final = (
    JobDefinition(
        name="self_metering",
        every=Every.MINUTE,
        run="habitat.site.workflows.self_metering.run",
        help="Settles closed windows of the house's own requests and sends them to the metering door.",
    ),
)
