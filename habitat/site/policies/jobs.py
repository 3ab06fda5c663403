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
    JobDefinition(
        name="verify_books",
        every=Every.DAY,
        run="habitat.site.workflows.verification.run",
        help="Proves the books from scratch; a break raises an alert.",
        catch_up=1,
    ),
    JobDefinition(
        name="reconcile",
        every=Every.DAY,
        run="habitat.site.workflows.reconciliation.run",
        help="Compares the books with the bank, Stripe and the backing as of midnight; what differs is an exception.",
        catch_up=1,
    ),
)
