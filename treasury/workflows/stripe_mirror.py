"""The mirror of one customer, filled again from Stripe: after an alert, or when it was never filled."""

from habitat.members.policies.actors import Actor
from treasury.actions import stripe_mirror
from treasury.gateways.stripe import StripeGateway, stripe_gateway
from treasury.policies.stripe import Document
from treasury.reports import stripe as reports
from treasury.reports import stripe_documents


def rebuild(*, customer_id: str, acting: Actor, gateway: StripeGateway | None = None) -> int:
    """Everything Stripe shows of a customer, written anew; how many rows that was. It books nothing.

    Raises StripeRefused for a customer Stripe does not know, StripeUnavailable.
    """
    stripe = gateway or stripe_gateway()
    shown: list[Document] = [stripe.retrieve_customer(customer_id).document]
    methods = stripe.saved_methods(customer_id=customer_id)
    shown += [one.document for one in methods]
    # What the mirror still gives to the customer, and Stripe no longer does.
    kept = {card.id for card in stripe_documents.cards_of([customer_id])} - {one.id for one in methods}
    shown += [stripe.retrieve_method(one).document for one in sorted(kept)]
    shown += [one.document for one in stripe.subscriptions_of(customer_id=customer_id)]
    shown += [one.document for one in stripe.invoices_of(customer_id=customer_id)]
    charges = stripe.charges_of(customer_id=customer_id)
    shown += [one.document for one in charges]
    shown += [
        refund.document for one in charges if one.amount_refunded for refund in stripe.refunds_of(charge_id=one.id)
    ]
    disputed = [one.id for one in charges if one.disputed]
    shown += [stripe.retrieve_dispute(one).document for one in reports.disputes_of(disputed)]
    return stripe_mirror.write(documents=shown, acting=acting)
