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
)
