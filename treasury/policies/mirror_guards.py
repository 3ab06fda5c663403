"""What the application role may not do with dj-stripe's tables; `policies.guards` gathers it."""

from typing import Final

from habitat.controls.policies.guards import withheld

MIRROR_TABLES: Final = (
    "djstripe_balancetransaction",
    "djstripe_charge",
    "djstripe_customer",
    "djstripe_dispute",
    "djstripe_invoice",
    "djstripe_paymentintent",
    "djstripe_paymentmethod",
    "djstripe_payout",
    "djstripe_refund",
    "djstripe_subscription",
)
# Where dj-stripe would keep the secret key, a webhook's secret, and what a webhook said.
_NOT_OURS: Final = {
    "djstripe_apikey": "Stripe's secret key kept in the database",
    "djstripe_webhookendpoint": "a webhook's secret kept in the database",
    "djstripe_webhookeventtrigger": "the body of a webhook kept beside ours",
    "djstripe_event": "an event processed past our queue",
}
MIRROR_GUARDS: Final = (
    *(
        guard
        for table in MIRROR_TABLES
        for guard in withheld(table, "what Stripe showed, deleted", "DELETE", "TRUNCATE")
    ),
    *(
        guard
        for table, stops in _NOT_OURS.items()
        for guard in withheld(table, stops, "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    ),
)
