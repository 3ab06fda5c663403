"""What each role may do on this floor."""

from typing import Final

from habitat.members.policies.roles import Role

_READ: Final = ("cloud_credits.view_ratecard",)
_LEDGER: Final = ("cloud_credits.view_cloudbalance", "cloud_credits.view_cloudtransaction")
# A member reads a card's electorate, thread and outcome on its page; the back office reads the rows.
_GOVERNANCE: Final = (
    "cloud_credits.view_ratecardelector",
    "cloud_credits.view_ratecardballot",
    "cloud_credits.view_ratecardcomment",
    "cloud_credits.view_ratecardreminder",
    "cloud_credits.view_ratecardoutcome",
    "cloud_credits.propose_ratecard",
)
_OPERATIONS: Final = (
    *_READ,
    *_LEDGER,
    *_GOVERNANCE,
    "cloud_credits.view_ratecardhistory",
    "cloud_credits.view_resourceusage",
    "cloud_credits.view_usage_margin",
    "cloud_credits.view_spendcap",
    "cloud_credits.view_topup",
    "cloud_credits.view_meteringrefusal",
    "cloud_credits.view_meteringsubmission",
    "cloud_credits.view_usageimport",
    "cloud_credits.view_selfmetercharge",
    "cloud_credits.admit_late_usage",
    "cloud_credits.view_stakingposition",
    "cloud_credits.view_receivable",
    "cloud_credits.view_ensregistration",
    "cloud_credits.view_chainblock",
    "cloud_credits.seal_chain",
    "cloud_credits.view_idempotencykey",
    "cloud_credits.initialize_identity",
    # Whoever asks for a mint cannot approve it: the approval itself sees to that (domain §3).
    "cloud_credits.mint_credits",
    "cloud_credits.approve_mint",
    "cloud_credits.correct_credits",
    "cloud_credits.burn_credits",
    "cloud_credits.grant_credits",
    "cloud_credits.transfer_for_members",
    "cloud_credits.redeem_credits",
    "cloud_credits.stake_for_members",
    "cloud_credits.view_purchase",
    "cloud_credits.expire_purchase",
    "cloud_credits.view_paymentmint",
    "cloud_credits.view_recurringpurchase",
    "cloud_credits.manage_recurringpurchase",
    "cloud_credits.mint_payment",
    "cloud_credits.view_refundrequest",
    "cloud_credits.refund_credits",
    "cloud_credits.view_clawback",
    "cloud_credits.settle_receivable",
    "cloud_credits.write_off_receivable",
    "cloud_credits.view_termsversion",
    "cloud_credits.view_termsacceptance",
    "cloud_credits.publish_terms",
    "cloud_credits.view_invoice",
    "cloud_credits.write_invoice",
    "cloud_credits.refund_invoice",
)

# A member needs no permission for what is their own: the verbs ask whether they act on their own balance.
PERMISSIONS: Final[dict[Role, tuple[str, ...]]] = {
    Role.MEMBER: _READ,
    Role.STEWARD: (
        *_READ,
        *_LEDGER,
        *_GOVERNANCE,
        "cloud_credits.vote_ratecard",
        "cloud_credits.view_ratecardhistory",
        "cloud_credits.view_invoice",
        # Whoever votes on a price knows what it covers; who used how much stays operations' and the member's.
        "cloud_credits.view_usage_margin",
    ),
    Role.OPERATIONS: _OPERATIONS,
    Role.ADMIN: _OPERATIONS,
}
