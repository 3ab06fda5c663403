"""What happens at Stripe in tests: a customer pays, and its webhooks come in any order, or not at all."""

import random
from decimal import Decimal
from typing import Any

import httpx

from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from tests.sandboxes import Sandbox
from treasury.actions import stripe_events
from treasury.gateways.stripe import StripeClientGateway
from treasury.models import StripeEvent
from treasury.policies.stripe import StripePayment
from treasury.workflows import payments

KEY = "sk_test_sandbox"


class StripeSide:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.gateway = StripeClientGateway(api_key=KEY, api_base=sandbox.url)
        self._number = 0

    def pay(
        self,
        member: Member,
        amount: str = "100",
        *,
        card: str = "",
        interval: str = "",
        save: bool = False,
        **marks: str,
    ) -> str:
        """A Checkout session of the member, paid; its id."""
        self._number += 1
        customer = self.gateway.create_customer(
            member_id=str(member.pk), email="m@example.org", name="M", idempotency_key=f"customer-{member.pk}"
        )
        session = self.gateway.create_checkout(
            customer_id=customer.id,
            amount=Decimal(amount),
            description="CLOUD",
            success_url="https://habitat.example/done",
            cancel_url="https://habitat.example/back",
            metadata={"habitat_member_id": str(member.pk), "habitat_purchase_id": str(self._number)} | marks,
            idempotency_key=f"checkout-{self._number}",
            interval=interval,
            save_method=save,
        )
        self.sandbox.control("pay", session=session.id, **({"card": card} if card else {}))
        return session.id

    def paid(self, member: Member, amount: str = "100", **more: Any) -> StripePayment:
        """The PaymentIntent of a paid session."""
        session = self.gateway.retrieve_session(self.pay(member, amount, **more))
        return self.gateway.retrieve_payment(session.payment_id)

    def events(self) -> list[dict[str, Any]]:
        """Every event so far, oldest first."""
        rows: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"limit": 100}
        while True:
            page = httpx.get(
                f"{self.sandbox.url}/v1/events",
                params=asked,
                headers={"Authorization": f"Bearer {KEY}"},
                trust_env=False,
            ).json()
            rows += page["data"]
            if not page["has_more"]:
                return rows[::-1]
            asked["starting_after"] = rows[-1]["id"]

    def tell(self, *, order: str = "", without: tuple[str, ...] = (), seed: int = 0) -> None:
        """Brings the events to the door of the books, `order` "", reversed or shuffled, and drains the queue."""
        told = [one for one in self.events() if not one["type"].startswith(without)] if without else self.events()
        if order == "reversed":
            told.reverse()
        elif order == "shuffled":
            random.Random(seed).shuffle(told)
        for one in told:
            self._store(one)
            payments.drain()
        self.again()

    def knock(self) -> None:
        """Brings every event to the door; whoever works there drains the queue."""
        for one in self.events():
            self._store(one)

    def _store(self, event: dict[str, Any]) -> None:
        stripe_events.store(event_id=event["id"], type=event["type"], payload=event, acting=SYSTEM)

    def again(self) -> None:
        """Those that failed are due now; once more."""
        for _ in range(3):
            StripeEvent.objects.filter(state="received").update(due_at="2026-01-01T00:00:00Z")
            payments.drain()
