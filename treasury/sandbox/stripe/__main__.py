"""`python -m treasury.sandbox.stripe`: the Stripe sandbox as a process.

Speaks Stripe's API (`/v1/…`), shows the Checkout page (`/c/pay/<session>`), receipts and invoices, sends signed
webhooks. `/_sandbox/…` (JSON, no key) does what payers, banks and time do: `pay`, `settle_bank_debit`,
`fail_bank_debit`, `dispute`, `close_dispute`, `next_refund`, `settle_refund`, `refund`, `make_available`, `payout`,
`settle_payout`, `renew_subscription`, `expire_session`, `adjust_balance`, `set_balance`,
`delay_balance_transactions`, `release_balance_transactions`, `forget_idempotency_keys`, `faults`, `clear_faults`,
`webhooks`, `deliveries`, `deliver_held`, `resend`, `resend_later`, `wait_webhooks`, `calls`, `reset`, `health`.
docs/design/sandboxes.md says what each takes and answers.
"""

import argparse
import os

from treasury.sandbox.serving import serve
from treasury.sandbox.store import Store
from treasury.sandbox.stripe import webhooks
from treasury.sandbox.stripe.app import Sandbox


def main() -> None:
    parser = argparse.ArgumentParser(prog="treasury.sandbox.stripe", description="Stripe's API, without Stripe.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=12111, help="0: a free one")
    parser.add_argument("--data", required=True, help="the SQLite file that holds everything")
    parser.add_argument("--api-key", default=os.environ.get("STRIPE_SECRET_KEY", "sk_test_sandbox"))
    parser.add_argument("--webhook-secret", default=os.environ.get("STRIPE_WEBHOOK_SECRET", "whsec_sandbox"))
    parser.add_argument("--webhook-url", default=None, help="where events are sent; none: they are only kept")
    parser.add_argument("--bank-url", default="", help="the Mercury sandbox, told of payouts that arrived")
    given = parser.parse_args()
    store = Store(given.data)
    with store.write() as transaction:
        settings = {"secret": given.webhook_secret}
        webhooks.configure(transaction, settings | ({"url": given.webhook_url} if given.webhook_url else {}))
    sandbox = Sandbox(store, api_key=given.api_key, bank_url=given.bank_url)
    sandbox.courier.start()
    serve(sandbox, host=given.host, port=given.port)


if __name__ == "__main__":
    main()
