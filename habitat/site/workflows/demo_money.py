"""The sample cooperative's money: cards through the sandbox's HTTP, pay-outs to the bank, invoices, a refund."""

from collections.abc import Callable, Mapping

from django.utils import timezone

from cloud_credits.actions import invoices, purchases, refunds, terms, topups
from cloud_credits.models import Invoice, Purchase, RefundRequest
from cloud_credits.policies.invoices import InvoiceState, Item
from cloud_credits.policies.purchases import PurchaseState
from cloud_credits.reports import topups as reports
from cloud_credits.reports.purchases import customer_of
from cloud_credits.reports.terms import current
from cloud_credits.workflows.purchases import open_now
from habitat.events.workflows import queue
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.reports.actors import actor_of
from habitat.money import cloud
from habitat.site.gateways import sandboxes
from habitat.site.policies import demo
from habitat.site.workflows.reconciliation import reconcilers
from habitat.workflows.workflows import sagas
from treasury.models import Payout
from treasury.workflows import bank, payments, stripe_mirror, sweep

NO_STRIPE = "No sandbox of Stripe answers: purchases by card, their refund and pay-outs are left out."
NO_BANK = "No sandbox of the bank answers: pay-outs are not matched to bank lines."


class DemoMoney:
    """Each step asks what is there already; what the sandboxes kept of an earlier run is not done again."""

    def __init__(self, people: Callable[[], Mapping[str, Member]], operator: Callable[[], Actor]) -> None:
        """Both are asked when a step runs: before the first steps of the sample there is nobody."""
        self._people = people
        self._operator = operator
        self.remarks: list[str] = []

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """(title, step) in order, for after the members hold credits."""
        return [
            ("Two invoices, one of them paid", self.invoice),
            ("Purchases by card", self.buy),
            ("An automatic top-up", self.top_up),
            ("A refund", self.refund),
            ("A pay-out, matched at the bank", self.pay_out),
            ("The books compared with the world", self.compare),
        ]

    def invoice(self) -> None:
        for number, bill in enumerate(demo.INVOICES):
            member = self._people()[bill.member]
            invoice = Invoice.objects.filter(member=member, title=bill.title).first()
            if invoice is None:
                items = [Item(bill.title, bill.quantity, bill.price)]
                invoice = invoices.draft(member=member, title=bill.title, items=items, acting=self._operator())
            if invoice.state == InvoiceState.DRAFT:
                invoice = invoices.send(invoice=invoice, acting=self._operator())
            if bill.is_paid and invoice.state == InvoiceState.SENT:
                acting = _actor(member) if member.user is not None else self._operator()
                invoices.pay(
                    invoice=invoice, idempotency_key=f"demo-invoice-{number}", reason=demo.REASON, acting=acting
                )

    def buy(self) -> None:
        if not sandboxes.stripe_is_sandbox():
            self.remarks.append(NO_STRIPE)
            return
        for number, wish in enumerate(demo.PURCHASES):
            member = self._people()[wish.member]
            acting = _actor(member)
            terms.accept(member=member, version=current().version, acting=acting)
            purchase = open_now(
                purchases.begin(
                    member=member,
                    amount=cloud(wish.amount),
                    idempotency_key=f"demo-purchase-{number}",
                    acting=acting,
                    wish=purchases.Wish(save=wish.saves_card),
                )
            )
            if purchase.state == PurchaseState.OPEN and purchase.session_id:
                sandboxes.pay(purchase.session_id)
        self._hear()

    def top_up(self) -> None:
        """The member's own consent, with the card they saved at Stripe. What the member changed since stays."""
        refill, member = demo.REFILL, self._people()[demo.REFILL.member]
        customer_id = customer_of(member.pk)
        if not sandboxes.stripe_is_sandbox() or not customer_id or reports.of_member(member.pk) is not None:
            return
        # The card as the sandbox keeps it: its webhooks about it may still be on their way.
        stripe_mirror.rebuild(customer_id=customer_id, acting=SYSTEM)
        for card in reports.usable_cards(member.pk)[:1]:
            topups.switch_on(
                member=member,
                threshold=cloud(refill.threshold),
                amount=cloud(refill.amount),
                method_id=card.id,
                most_a_day=refill.most_a_day,
                acting=_actor(member),
            )

    def refund(self) -> None:
        if not sandboxes.stripe_is_sandbox():
            return
        bought = Purchase.objects.filter(key=f"demo-purchase-{demo.REFUND_OF}", payment__isnull=False).first()
        if bought is None or bought.payment is None or RefundRequest.objects.filter(payment=bought.payment).exists():
            return
        refunds.request(
            payment=bought.payment,
            amount=cloud(demo.REFUND),
            reason="Bought too much by mistake",
            idempotency_key="demo-refund",
            acting=self._operator(),
        )
        sagas.drain()
        self._hear()

    def pay_out(self) -> None:
        if not sandboxes.stripe_is_sandbox():
            return
        if not Payout.objects.exists():
            sandboxes.pay_out()
            self._hear()
        if not sandboxes.bank_is_sandbox():
            self.remarks.append(NO_BANK)
            return
        bank.sync(timezone.now())

    def compare(self) -> None:
        if sandboxes.stripe_is_sandbox() and sandboxes.bank_is_sandbox():
            now = timezone.now()
            for reconciler in reconcilers().values():
                reconciler.run(as_of=now, acting=SYSTEM)

    def _hear(self) -> None:
        """What a worker does about webhooks; the sweep stands for those that no web server took yet."""
        payments.drain()
        sweep.sweep(now=timezone.now())
        queue.drain(queue.DELIVERIES)
        sagas.drain()
        queue.drain(queue.DELIVERIES)


def _actor(member: Member) -> Actor:
    if member.user is None:
        message = f"{member.display_name} has no sign-in"
        raise LookupError(message)
    return actor_of(member.user)
