"""What treasury does by the clock."""

from typing import Final

from habitat.workflows.policies.jobs import Every, JobDefinition

JOBS: Final = (
    JobDefinition(
        name="treasury.seal_account_days",
        every=Every.DAY,
        run="treasury.workflows.daily.seal_account_days",
        help="Sums up the lines of past days, so that balances and reports read days instead of lines.",
        catch_up=1,
    ),
    JobDefinition(
        name="treasury.open_upcoming_quarters",
        every=Every.DAY,
        run="treasury.workflows.daily.open_upcoming_quarters",
        help="Makes sure that the next two quarters exist before anything needs them.",
        catch_up=1,
    ),
    JobDefinition(
        name="treasury.read_bank",
        every=Every.HOUR,
        run="treasury.workflows.bank.read_bank",
        help="Reads the bank's accounts and lines, suggests matches, books deposits, and watches what waits.",
        catch_up=1,
    ),
)
