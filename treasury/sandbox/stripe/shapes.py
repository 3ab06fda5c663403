"""The JSON of Stripe's objects as this API version words them; what stands under a leading `_` never leaves."""

from typing import Any

import stripe as package

from treasury.sandbox.store import Document, now

API_VERSION = package.api_version or ""
ACCOUNT = "acct_1SandboxOfTheHouse0"


def nothing(*names: str) -> Document:
    return dict.fromkeys(names)


def listing(url: str, data: list[Document], *, has_more: bool = False) -> Document:
    return {"object": "list", "url": url, "has_more": has_more, "data": data}


def customer() -> Document:
    return {
        "object": "customer",
        **nothing("address", "currency", "default_source", "description", "email", "name", "phone", "shipping"),
        **nothing("test_clock", "discount"),
        "balance": 0,
        "created": now(),
        "delinquent": False,
        "invoice_settings": nothing("custom_fields", "default_payment_method", "footer", "rendering_options"),
        "livemode": False,
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
    }


def billing_details(name: str | None = None, email: str | None = None) -> Document:
    address = nothing("city", "country", "line1", "line2", "postal_code", "state")
    return {"address": address, "email": email, "name": name, "phone": None, "tax_id": None}


def payment_method(kind: str, details: Document, number: str) -> Document:
    return {
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(),
        "created": now(),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
        kind: details,
        "_number": number,
    }


def card_details(brand: str, last4: str) -> Document:
    return {
        "brand": brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"sandbox{last4}",
        "funding": "credit",
        "generated_from": None,
        "last4": last4,
        "networks": {"available": [brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def bank_details(last4: str) -> Document:
    return {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "SANDBOX TEST BANK",
        "financial_connections_account": None,
        "fingerprint": f"sandboxbank{last4}",
        "last4": last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    }


def payment_intent(amount: int) -> Document:
    return {
        "object": "payment_intent",
        **nothing("application", "automatic_payment_methods", "canceled_at", "cancellation_reason", "customer"),
        **nothing("description", "last_payment_error", "latest_charge", "next_action", "on_behalf_of"),
        **nothing(
            "payment_method", "processing", "receipt_email", "review", "setup_future_usage", "shipping", "source"
        ),
        **nothing("application_fee_amount", "statement_descriptor", "statement_descriptor_suffix"),
        **nothing("transfer_data", "transfer_group"),
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "created": now(),
        "currency": "usd",
        "livemode": False,
        "metadata": {},
        "payment_method_options": {},
        "payment_method_types": ["card", "us_bank_account"],
        "status": "requires_payment_method",
    }


def charge(intent: Document, method: Document) -> Document:
    kind = method["type"]
    return {
        "object": "charge",
        **nothing("application", "application_fee", "application_fee_amount", "balance_transaction"),
        **nothing("failure_balance_transaction", "failure_code", "failure_message", "on_behalf_of", "receipt_number"),
        **nothing("review", "shipping", "source", "source_transfer", "statement_descriptor"),
        **nothing("statement_descriptor_suffix", "transfer", "transfer_data", "transfer_group", "outcome"),
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": now(),
        "currency": "usd",
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"type": kind, kind: _paid_with(method)},
        "receipt_email": intent["receipt_email"],
        "receipt_url": None,
        "refunded": False,
        "status": "pending",
    }


def _paid_with(method: Document) -> Document:
    """A method's details as a charge repeats them: less about the method, more about this one use."""
    details = method[method["type"]]
    if method["type"] == "us_bank_account":
        kept = ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number")
        more = nothing("expected_debit_date", "mandate", "payment_reference")
    else:
        kept = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "wallet")
        more = nothing("installments", "mandate", "three_d_secure") | {"network": details["brand"]}
    return {name: details[name] for name in kept} | more


def outcome(*, declined: str | None = None) -> Document:
    return {
        **nothing("network_advice_code", "network_decline_code", "advice_code", "rule"),
        "network_status": "declined_by_network" if declined else "approved_by_network",
        "reason": declined,
        "risk_level": "normal",
        "risk_score": 12,
        "seller_message": "The bank did not return any further details with this decline."
        if declined
        else "Payment complete.",
        "type": "issuer_declined" if declined else "authorized",
    }


def balance_transaction(kind: str, *, amount: int, fee: int, source: str | None, category: str) -> Document:
    detail = {"amount": fee, "application": None, "currency": "usd", "description": "Stripe fees", "type": "stripe_fee"}
    return {
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now(),
        "balance_type": "payments",
        "created": now(),
        "currency": "usd",
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [detail] if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "available",
        "type": kind,
        "_payout": None,
    }


def refund(charge_: Document, amount: int) -> Document:
    return {
        "object": "refund",
        **nothing("balance_transaction", "failure_balance_transaction", "pending_reason", "reason", "receipt_number"),
        **nothing("source_transfer_reversal", "transfer_reversal"),
        "amount": amount,
        "charge": charge_["id"],
        "created": now(),
        "currency": charge_["currency"],
        "customer": charge_["customer"],
        "metadata": {},
        "payment_intent": charge_["payment_intent"],
        "payment_method": charge_["payment_method"],
        "status": "succeeded",
    }


EVIDENCE = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
]


def dispute(charge_: Document, amount: int, reason: str) -> Document:
    return {
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge_["id"],
        "created": now(),
        "currency": "usd",
        "enhanced_eligibility_types": [],
        "evidence": {**nothing(*EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now() + 7 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge_["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {"brand": "visa", "case_type": "chargeback", "network": "visa"},
        },
        "reason": reason,
        "status": "needs_response",
    }


def payout(amount: int, *, automatic: bool) -> Document:
    return {
        "object": "payout",
        **nothing("application_fee", "application_fee_amount", "balance_transaction", "failure_balance_transaction"),
        **nothing("failure_code", "failure_message", "original_payout", "reversed_by", "payout_method"),
        "amount": amount,
        "arrival_date": now() - now() % 86_400 + 2 * 86_400,
        "automatic": automatic,
        "created": now(),
        "currency": "usd",
        "description": "STRIPE PAYOUT",
        "destination": "ba_1SandboxBankAccount00",
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed" if automatic else "not_applicable",
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }


def session(mode: str) -> Document:
    return {
        "object": "checkout.session",
        **nothing("adaptive_pricing", "after_expiration", "allow_promotion_codes", "billing_address_collection"),
        **nothing("cancel_url", "client_reference_id", "client_secret", "consent", "consent_collection", "customer"),
        **nothing("currency_conversion", "customer_creation", "customer_details", "customer_email", "invoice"),
        **nothing("invoice_creation", "locale", "origin_context", "payment_intent", "payment_link"),
        **nothing("payment_method_configuration_details", "recovered_from", "saved_payment_method_options"),
        **nothing("setup_intent", "shipping_address_collection", "shipping_cost", "submit_type", "subscription"),
        **nothing("success_url", "redirect_on_completion", "wallet_options", "collected_information"),
        "amount_subtotal": 0,
        "amount_total": 0,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "created": now(),
        "currency": "usd",
        "custom_fields": [],
        "custom_text": nothing("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"),
        "discounts": [],
        "expires_at": now() + 86_400,
        "livemode": False,
        "metadata": {},
        "mode": mode,
        "payment_method_collection": "always" if mode == "subscription" else "if_required",
        "payment_method_options": {},
        "payment_method_types": ["card", "us_bank_account"],
        "payment_status": "unpaid",
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
        "status": "open",
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
    }


def line_item(price_: Document, quantity: int, description: str | None) -> Document:
    total = price_["unit_amount"] * quantity
    return {
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": "usd",
        "description": description,
        "metadata": {},
        "price": price_,
        "quantity": quantity,
    }


def product(name: str) -> Document:
    return {
        "object": "product",
        **nothing("default_price", "description", "package_dimensions", "shippable", "statement_descriptor"),
        **nothing("tax_code", "unit_label", "url"),
        "active": True,
        "created": now(),
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": name,
        "type": "service",
        "updated": now(),
    }


def price(product_id: str, unit_amount: int, recurring: Document | None) -> Document:
    return {
        "object": "price",
        **nothing("custom_unit_amount", "lookup_key", "nickname", "tiers_mode", "transform_quantity"),
        "active": True,
        "billing_scheme": "per_unit",
        "created": now(),
        "currency": "usd",
        "livemode": False,
        "metadata": {},
        "product": product_id,
        "recurring": recurring,
        "tax_behavior": "unspecified",
        "type": "recurring" if recurring else "one_time",
        "unit_amount": unit_amount,
        "unit_amount_decimal": str(unit_amount),
    }


def recurring(interval: str, count: int) -> Document:
    return {
        "interval": interval,
        "interval_count": count,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def plan(price_: Document) -> Document:
    """The older name of a recurring price, which subscription items still carry."""
    return {
        "id": price_["id"],
        "object": "plan",
        **nothing("meter", "nickname", "tiers_mode", "transform_usage", "trial_period_days"),
        "active": True,
        "amount": price_["unit_amount"],
        "amount_decimal": price_["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price_["created"],
        "currency": "usd",
        "interval": price_["recurring"]["interval"],
        "interval_count": price_["recurring"]["interval_count"],
        "livemode": False,
        "metadata": {},
        "product": price_["product"],
        "usage_type": "licensed",
    }


def subscription_item(subscription_id: str, price_: Document, quantity: int, ends: int) -> Document:
    return {
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": now(),
        "current_period_end": ends,
        "current_period_start": now(),
        "discounts": [],
        "metadata": {},
        "plan": plan(price_),
        "price": price_,
        "quantity": quantity,
        "subscription": subscription_id,
        "tax_rates": [],
    }


def subscription(customer_id: str) -> Document:
    return {
        "object": "subscription",
        **nothing("application", "application_fee_percent", "billing_cycle_anchor_config", "billing_thresholds"),
        **nothing("cancel_at", "canceled_at", "days_until_due", "default_payment_method", "default_source"),
        **nothing("description", "ended_at", "latest_invoice", "next_pending_invoice_item_invoice", "on_behalf_of"),
        **nothing("pause_collection", "pending_invoice_item_interval", "pending_setup_intent", "pending_update"),
        **nothing("schedule", "test_clock", "transfer_data", "trial_end", "trial_settings", "trial_start"),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now(),
        "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": now(),
        "currency": "usd",
        "customer": customer_id,
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "livemode": False,
        "metadata": {},
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "on_subscription",
        },
        "start_date": now(),
        "status": "incomplete",
    }


def invoice(customer_: Document, reason: str) -> Document:
    return {
        "object": "invoice",
        **nothing("account_tax_ids", "application", "automatically_finalizes_at", "confirmation_secret"),
        **nothing("custom_fields", "customer_address", "customer_phone", "customer_shipping", "default_source"),
        **nothing("default_payment_method", "description", "due_date", "ending_balance", "footer", "from_invoice"),
        **nothing("hosted_invoice_url", "invoice_pdf", "last_finalization_error", "latest_revision", "number"),
        **nothing("next_payment_attempt", "on_behalf_of", "parent", "receipt_number", "rendering", "shipping_cost"),
        **nothing("shipping_details", "statement_descriptor", "test_clock", "webhooks_delivered_at"),
        "account_country": "US",
        "account_name": "Sandbox",
        "amount_due": 0,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_remaining": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": nothing("disabled_reason", "liability", "provider", "status") | {"enabled": False},
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": now(),
        "currency": "usd",
        "customer": customer_["id"],
        "customer_email": customer_["email"],
        "customer_name": customer_["name"],
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_tax_rates": [],
        "discounts": [],
        "effective_at": now(),
        "issuer": {"type": "self"},
        "livemode": False,
        "metadata": {},
        "payment_settings": nothing("default_mandate", "payment_method_options", "payment_method_types"),
        "period_end": now(),
        "period_start": now(),
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": 0,
        "status": "draft",
        "status_transitions": nothing("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at"),
        "subtotal": 0,
        "subtotal_excluding_tax": 0,
        "total": 0,
        "total_discount_amounts": [],
        "total_excluding_tax": 0,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    }


def invoice_line(amount: int, description: str | None, price_: Document, *, start: int, end: int) -> Document:
    return {
        "object": "line_item",
        "amount": amount,
        "currency": "usd",
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "parent": None,
        "period": {"start": start, "end": end},
        "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details",
            "price_details": {"price": price_["id"], "product": price_["product"]},
            "unit_amount_decimal": price_["unit_amount_decimal"],
        },
        "quantity": 1,
        "subscription": None,
        "subtotal": amount,
        "taxes": [],
    }


def invoice_payment(invoice_: Document, intent_id: str) -> Document:
    return {
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice_["amount_due"],
        "created": now(),
        "currency": "usd",
        "invoice": invoice_["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"type": "payment_intent", "payment_intent": intent_id},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def setup_intent(customer_id: str | None) -> Document:
    return {
        "object": "setup_intent",
        **nothing("application", "automatic_payment_methods", "cancellation_reason", "description"),
        **nothing("flow_directions", "last_setup_error", "latest_attempt", "mandate", "next_action"),
        **nothing("on_behalf_of", "payment_method", "single_use_mandate"),
        "created": now(),
        "customer": customer_id,
        "livemode": False,
        "metadata": {},
        "payment_method_options": {},
        "payment_method_types": ["card", "us_bank_account"],
        "status": "requires_payment_method",
        "usage": "off_session",
    }


def event(kind: str, document: Document, request: Document, previous: Document | None) -> Document:
    data: Document = {"object": document}
    if previous:
        data["previous_attributes"] = previous
    return {
        "object": "event",
        "api_version": API_VERSION,
        "created": now(),
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": request,
        "type": kind,
    }


def webhook_endpoint(url: str, events: list[str]) -> Document:
    return {
        "object": "webhook_endpoint",
        "api_version": API_VERSION,
        "application": None,
        "created": now(),
        "description": None,
        "enabled_events": events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }


def account() -> Document:
    return {
        "id": ACCOUNT,
        "object": "account",
        "business_profile": nothing("mcc", "name", "support_email", "support_phone", "support_url", "url"),
        "business_type": "company",
        "capabilities": {"card_payments": "active", "us_bank_account_ach_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "created": 1_700_000_000,
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": {
            "branding": nothing("icon", "logo", "primary_color", "secondary_color"),
            "card_payments": nothing(
                "statement_descriptor_prefix", "statement_descriptor_prefix_kana", "statement_descriptor_prefix_kanji"
            ),
            "dashboard": {"display_name": "Sandbox", "timezone": "Etc/UTC"},
            "payments": nothing("statement_descriptor", "statement_descriptor_kana", "statement_descriptor_kanji"),
        },
        "type": "standard",
    }


def balance(available: int, pending: int) -> Document:
    def funds(amount: int) -> list[Document]:
        return [{"amount": amount, "currency": "usd", "source_types": {"card": amount}}]

    return {
        "object": "balance",
        "available": funds(available),
        "livemode": False,
        "pending": funds(pending),
        "refund_and_dispute_prefunding": {"available": funds(0), "pending": funds(0)},
    }


def public(value: Any) -> Any:
    """A document as the API shows it."""
    if isinstance(value, dict):
        return {name: public(child) for name, child in value.items() if not name.startswith("_")}
    if isinstance(value, list):
        return [public(child) for child in value]
    return value
