"""What treasury does by the clock."""

from typing import Final

from habitat.workflows.policies.jobs import Every, JobDefinition

SWEEP_JOB: Final = "treasury.sweep_stripe"

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
        name="treasury.check_backing",
        every=Every.HOUR,
        run="treasury.workflows.backing.check_by_the_hour",
        help="Asks bank and Stripe what they hold and compares it with what is owed.",
        catch_up=1,
    ),
    JobDefinition(
        name="treasury.check_backing_of_the_day",
        every=Every.DAY,
        run="treasury.workflows.backing.check_of_the_day",
        help="The backing as of 00:00 UTC, against bank and Stripe.",
        catch_up=7,
    ),
    JobDefinition(
        name="treasury.recheck_backing",
        every=Every.FIVE_MINUTES,
        run="treasury.workflows.backing.recheck",
        help="While checks keep minting off, looks again whether it may resume.",
        catch_up=1,
    ),
    JobDefinition(
        name=SWEEP_JOB,
        every=Every.DAY,
        run="treasury.workflows.sweep.nightly",
        help="Walks along Stripe's balance transactions and mends what webhooks missed.",
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
