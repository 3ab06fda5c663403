"""What the credit ledger does by the clock."""

from typing import Final

from habitat.workflows.policies.jobs import Every, JobDefinition

JOBS: Final = (
    JobDefinition(
        name="cloud_credits.seal_chain",
        every=Every.FIVE_MINUTES,
        run="cloud_credits.workflows.chain.seal_chain",
        help="Seals the ledger's newest rows into the hash chain.",
    ),
    JobDefinition(
        name="cloud_credits.mint_waiting",
        every=Every.MINUTE,
        run="cloud_credits.workflows.purchases.mint_waiting",
        help="Mints payments that wait for their credits, oldest first.",
    ),
    JobDefinition(
        name="cloud_credits.watch_usage_queue",
        every=Every.FIVE_MINUTES,
        run="cloud_credits.workflows.metering.watch_queue",
        help="Raises an alert when queued usage is not charged, and closes it when it is.",
    ),
    JobDefinition(
        name="cloud_credits.top_up",
        every=Every.HOUR,
        run="cloud_credits.workflows.topups.begin_due",
        help="Begins automatic top-ups that waited: for a new day, or for the reserve.",
        # Whoever is low now is, however many hours were missed.
        catch_up=1,
    ),
    JobDefinition(
        name="cloud_credits.mark_overdue_invoices",
        every=Every.DAY,
        run="cloud_credits.workflows.invoices.mark_overdue",
        help="Marks invoices overdue whose due day has passed, and tells their members.",
        # Whatever fell due on missed days is overdue on the newest one too.
        catch_up=1,
    ),
    JobDefinition(
        name="cloud_credits.settle_votes",
        every=Every.MINUTE,
        run="cloud_credits.workflows.rate_cards.settle_votes",
        help="Settles votes on rate cards that have closed. Pricing does not wait for it.",
    ),
    JobDefinition(
        name="cloud_credits.remind_electors",
        every=Every.FIVE_MINUTES,
        run="cloud_credits.workflows.rate_cards.remind_electors",
        help="Reminds electors who have not voted, 48, 24 and 4 hours before a vote closes.",
    ),
    JobDefinition(
        name="cloud_credits.follow_rate_cards",
        every=Every.HOUR,
        run="cloud_credits.workflows.rate_cards.follow_rate_cards",
        help="Lets cards lapse that nobody opened to the vote, and tells people which card is in force.",
        catch_up=1,
    ),
)
