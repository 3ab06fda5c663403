"""Domain §6's posting table, row by row with its numbers: each entry exactly, and 2220 and 1130 right after each."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F, Sum

from cloud_credits.actions import clawbacks, invoices, payment_refunds, receivables, refunds
from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import correct
from cloud_credits.actions.grants import grant
from cloud_credits.actions.mints import request_manual_mint
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.transfers import transfer
from cloud_credits.models import CloudBalance, Receivable, RefundRequest
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from habitat.site.reports.verification import GUARDS, proofs
from tests.cloud_credits.bought import bought, buyer, check_backing, mint, pay, refunded_at_stripe, suspend
from tests.cloud_credits.invoiced import item, sent
from tests.factories import actor, fund, key, make_member, system_member
from tests.treasury.banking import OLGA, deposit, make_bill, make_payout, read
from tests.treasury.money_in import dispute, movement
from treasury.actions import bank_matches, stripe_movements
from treasury.actions import payments as treasury_payments
from treasury.actions import refunds as treasury_refunds
from treasury.models import BankMatch, JournalEntry, JournalLine, Payment
from treasury.policies.bank import BillKind
from treasury.policies.references import member_reference

pytestmark = pytest.mark.django_db


class Walk:
    """Takes a step and tells the entries it posted: account → USD, debits positive."""

    def __init__(self) -> None:
        self.last = JournalEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

    def __call__(self, step: Callable[[], Any], *entries: dict[str, str]) -> Any:
        done = step()
        posted = self.posted()
        assert posted == [{code: Decimal(amount) for code, amount in entry.items()} for entry in entries]
        assert all(sum(entry.values()) == 0 for entry in posted)
        self.check()
        return done

    def posted(self) -> list[dict[str, Decimal]]:
        """The entries since the last step, oldest first."""
        made: dict[int, dict[str, Decimal]] = {}
        for line in JournalLine.objects.filter(entry__gt=self.last).select_related("account").order_by("entry", "id"):
            sign = 1 if line.side == "D" else -1
            entry = made.setdefault(line.entry_id, {})
            entry[line.account.code] = entry.get(line.account.code, Decimal(0)) + sign * line.amount
        self.last = max(made, default=self.last)
        return [made[number] for number in sorted(made)]

    def check(self) -> None:
        """After every step: 2220 = 10 × outstanding and 1130 = 10 × techne's balance, and every proof."""
        total = CloudBalance.objects.aggregate(sum=Sum(F("liquid") + F("staked")))["sum"] or 0
        techne = CloudBalance.objects.get(member=system_member(SystemAccount.TECHNE))
        assert -stands("2220") == 10 * total
        assert stands("1130") == 10 * (techne.liquid + techne.staked)
        results = [(proof.name, proof.run()) for floor, proof in proofs() if floor != GUARDS]
        assert [f"{name}: {result.message}" for name, result in results if not result.ok] == []


def stands(code: str) -> Decimal:
    """Debits less credits."""
    rows = JournalLine.objects.filter(account__code=code).values_list("side", "amount")
    return sum((amount if side == "D" else -amount for side, amount in rows), Decimal(0))


@pytest.fixture
def walk():
    return Walk()


def spend(member: Member, amount: str) -> None:
    transfer(sender=member, recipient=make_member(), amount=cloud(amount), idempotency_key=key(), acting=actor(member))


def confirmed(sandbox, amount: str, text: str = "x", **facts: Any) -> BankMatch:
    """A line at the bank, read, and what the rules make of it confirmed where they are not certain."""
    deposit(sandbox, amount, text, createdAt=datetime.now(UTC).isoformat(), **facts)
    read(sandbox)
    match = BankMatch.objects.latest("id")
    return match if match.state == "confirmed" else bank_matches.confirm(match=match, reason="Seen", acting=OLGA)


def debtor(owed: str = "7") -> tuple[Member, Receivable]:
    """A member who spent 10 CLOUD, of whose payment `owed` CLOUD were refunded at Stripe's afterwards."""
    member = buyer()
    payment = bought(member, "10")
    spend(member, "10")
    refunded_at_stripe(payment, str(Decimal(owed) * 10))
    clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM)
    return member, Receivable.objects.get(member=member)


# --- money comes in


def test_payment_and_its_fee_then_the_mint(walk):
    ada = buyer()
    payment = walk(lambda: pay(ada, "100"), {"1115": "100", "2240": "-100"})
    fee = movement("100", "3.20", type="charge", source_id=payment.charge_id)
    walk(lambda: stripe_movements.record(told=fee, acting=SYSTEM), {"5910": "3.20", "1115": "-3.20"})
    walk(lambda: mint(payment), {"2240": "100", "2220": "-100"})
    # Told again: nothing.
    walk(lambda: (stripe_movements.record(told=fee, acting=SYSTEM), mint(payment)))


def test_payout_matched_and_stripe_debits_the_bank(walk, mercury_sandbox):
    make_payout("97.1", "po_in")
    walk(lambda: confirmed(mercury_sandbox, "97.1", "STRIPE po_in"), {"1110": "97.1", "1115": "-97.1"})
    make_payout("-8", "po_out")
    walk(lambda: confirmed(mercury_sandbox, "-8", "STRIPE po_out"), {"1110": "-8", "1115": "8"})


@pytest.mark.parametrize("is_known", [True, False], ids=["identified", "not identified"])
def test_wire(walk, mercury_sandbox, is_known):
    ada = buyer()
    text = f"WIRE {member_reference(ada.pk)}" if is_known else "WIRE FROM ADA"
    walk(lambda: confirmed(mercury_sandbox, "250", text), {"1110": "250", "2240": "-250"})
    payment = Payment.objects.get()
    assert payment.member == (ada if is_known else None)
    if not is_known:
        may = actor(make_member(), "treasury.identify_payment")
        walk(lambda: treasury_payments.identify(payment=payment, member=ada, reason="she called", acting=may))
    check_backing()
    walk(lambda: mint(payment), {"2240": "250", "2220": "-250"})


# --- money that cannot be minted


def test_payment_that_cannot_be_minted_goes_back_by_stripe(walk):
    payment = walk(lambda: pay(buyer(), "100", problem="other_customer"), {"1115": "100", "2240": "-100"})
    walk(lambda: mint(payment))
    walk(lambda: payment_refunds.hold(payment_id=payment.pk, acting=SYSTEM))
    given = {"payment_id": payment.pk, "refund_id": "re_1", "acting": SYSTEM}
    walk(lambda: payment_refunds.record_sent(amount=Decimal(100), **given))
    walk(lambda: treasury_refunds.settle(refund_id="re_1", acting=SYSTEM), {"2240": "100", "1115": "-100"})


def test_payment_that_cannot_be_minted_goes_back_by_wire(walk, mercury_sandbox):
    walk(lambda: confirmed(mercury_sandbox, "50"), {"1110": "50", "2240": "-50"})
    payment = Payment.objects.get()
    treasury_refunds.begin(payment=payment, amount=Decimal(50), acting=SYSTEM)
    sent_back = {"payment": payment, "refund_id": "wire_77", "amount": Decimal(50), "acting": SYSTEM}
    walk(lambda: treasury_refunds.record_sent(**sent_back))
    walk(lambda: confirmed(mercury_sandbox, "-50", "WIRE OUT wire_77"), {"2240": "50", "1110": "-50"})


# --- refunds and disputes of what was minted


def asked(payment: Payment, amount: str) -> RefundRequest:
    may = actor(make_member(), "cloud_credits.refund_credits")
    return refunds.request(payment=payment, amount=cloud(amount), reason="asked for", idempotency_key=key(), acting=may)


@pytest.mark.parametrize("outcome", ["confirmed", "failed"])
def test_refund(walk, outcome):
    payment = bought(buyer(), "10")
    walk.posted()
    request = walk(lambda: asked(payment, "4"))
    walk(lambda: refunds.burn(request_id=request.pk, acting=SYSTEM), {"2220": "40", "2240": "-40"})
    walk(lambda: refunds.record_sent(request_id=request.pk, refund_id="re_1", acting=SYSTEM))
    if outcome == "confirmed":
        walk(lambda: treasury_refunds.settle(refund_id="re_1", acting=SYSTEM), {"2240": "40", "1115": "-40"})
        walk(lambda: refunds.settle(request_id=request.pk, acting=SYSTEM))
    else:
        walk(lambda: treasury_refunds.fail(refund_id="re_1", acting=SYSTEM))
        walk(lambda: refunds.fail(request_id=request.pk, why="closed", acting=SYSTEM), {"2240": "40", "2220": "-40"})


def test_refund_made_before_the_mint_fails_after_it(walk):
    payment = walk(lambda: pay(buyer(), "100"), {"1115": "100", "2240": "-100"})
    walk(lambda: refunded_at_stripe(payment, "30", refund_id="re_1"), {"2240": "30", "1115": "-30"})
    walk(lambda: mint(payment), {"2240": "70", "2220": "-70"})
    failed = {"status": "failed", "refund_id": "re_1"}
    walk(lambda: refunded_at_stripe(payment, "30", **failed), {"1115": "30", "2240": "-30"})
    walk(lambda: mint(payment), {"2240": "30", "2220": "-30"})
    walk(lambda: refunded_at_stripe(payment, "100", refund_id="re_2"))
    walk(
        lambda: clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM),
        {"2220": "100", "2240": "-100"},
        {"2240": "100", "1115": "-100"},
    )


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_dispute_with_its_fee(walk, outcome):
    payment = bought(buyer(), "10")
    walk.posted()
    taken, given = movement("-60", "15"), movement("60")
    walk(
        lambda: dispute(payment, "needs_response", taken, amount="60"),
        {"1116": "60", "5910": "15", "1115": "-75"},
    )
    if outcome == "won":
        walk(lambda: dispute(payment, "won", taken, given, amount="60"), {"1115": "60", "1116": "-60"})
    else:
        walk(lambda: dispute(payment, "lost", taken, amount="60"))
        walk(lambda: clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM), {"2220": "60", "1116": "-60"})
    assert stands("1116") == 0


def test_refund_above_the_liquid_balance(walk):
    ada = buyer()
    payment = bought(ada, "10")
    spend(ada, "7")
    walk.posted()
    walk(lambda: refunded_at_stripe(payment, "100"))
    walk(
        lambda: clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM),
        {"2220": "30", "2240": "-30"},
        {"2240": "30", "1310": "70", "1115": "-100"},
    )


def test_dispute_above_the_liquid_balance(walk):
    ada = buyer()
    payment = bought(ada, "10")
    spend(ada, "7")
    taken = movement("-100", "15")
    dispute(payment, "needs_response", taken)
    walk.posted()
    walk(lambda: dispute(payment, "lost", taken))
    walk(
        lambda: clawbacks.claw_back(payment_id=payment.pk, acting=SYSTEM),
        {"2220": "30", "1116": "-30"},
        {"1310": "70", "1116": "-70"},
    )
    assert stands("1116") == 0


# --- what is owed


def test_receivable_paid_by_card(walk):
    """1115 / 1310 by way of credits: the payment is minted, and what it made settles the debt."""
    ada, debt = debtor("7")
    walk.posted()
    payment = walk(lambda: pay(ada, "70"), {"1115": "70", "2240": "-70"})
    walk(lambda: mint(payment), {"2240": "70", "2220": "-70"})
    settle = {"receivable": debt, "amount": cloud("7"), "reason": "agreed", "acting": SYSTEM}
    walk(lambda: receivables.settle_from_liquid(**settle), {"2220": "70", "1310": "-70"})


def test_receivable_paid_by_wire_that_became_credits(walk, mercury_sandbox):
    """1110 / 1310 the same way."""
    ada, debt = debtor("7")
    walk.posted()
    text = f"WIRE {member_reference(ada.pk)}"
    walk(lambda: confirmed(mercury_sandbox, "70", text), {"1110": "70", "2240": "-70"})
    check_backing()
    walk(lambda: mint(Payment.objects.get(provider="bank")), {"2240": "70", "2220": "-70"})
    settle = {"receivable": debt, "amount": cloud("7"), "reason": "agreed", "acting": SYSTEM}
    walk(lambda: receivables.settle_from_liquid(**settle), {"2220": "70", "1310": "-70"})


def test_receivable_paid_by_wire_as_it_came(walk, mercury_sandbox):
    """1110 / 1310 by way of 2240: no credits come of it."""
    _, debt = debtor("7")
    walk.posted()
    walk(lambda: confirmed(mercury_sandbox, "70"), {"1110": "70", "2240": "-70"})
    paid = {"receivable": debt, "payment": Payment.objects.get(provider="bank"), "reason": "her debt", "acting": SYSTEM}
    walk(lambda: receivables.record_payment(**paid), {"2240": "70", "1310": "-70"})
    assert stands("1310") == 0


def test_receivable_written_off(walk):
    _, debt = debtor("7")
    walk.posted()
    may = "cloud_credits.write_off_receivable"
    asked_for = {"receivable": debt, "amount": cloud("7"), "reason": "cannot pay"}
    walk(lambda: receivables.request_write_off(**asked_for, acting=actor(make_member(), may)))
    approval = Approval.objects.get(kind=receivables.WRITE_OFF_KIND)
    second = actor(make_member(), may)
    walk(lambda: approvals.grant(approval=approval, reason="seen", acting=second), {"5930": "70", "1310": "-70"})


# --- invoices, techne, grants


def test_invoice_paid_and_refunded(walk):
    ada = make_member(credits="10")
    invoice = sent(ada, item("2", "1.5"))
    walk.posted()
    walk(lambda: invoices.pay(invoice=invoice, idempotency_key=key(), acting=actor(ada)), {"1130": "30", "4110": "-30"})
    again = {"invoice": invoice, "reason": "not done", "idempotency_key": key(), "acting": SYSTEM}
    walk(lambda: invoices.refund(**again), {"4110": "30", "1130": "-30"})


def test_techne_redeems_and_burns_what_it_holds(walk):
    ada, techne = make_member(credits="10"), system_member(SystemAccount.TECHNE)
    invoices.pay(invoice=sent(ada, item("2", "2")), idempotency_key=key(), acting=actor(ada))
    walk.posted()
    spent = {"member": techne, "idempotency_key": key(), "acting": SYSTEM}
    walk(lambda: redeem(amount=cloud("1"), **spent), {"2220": "10", "1130": "-10"})
    walk(lambda: burn(amount=cloud("2"), reason="too many", **spent), {"2220": "20", "1130": "-20"})


def test_member_redeems(walk):
    ada = make_member(credits="10")
    walk.posted()
    given = {"member": ada, "amount": cloud("2.5"), "idempotency_key": key(), "acting": actor(ada)}
    walk(lambda: redeem(**given), {"2220": "25", "4420": "-25"})


def test_grant_of_technes_credits(walk):
    ada, techne = make_member(credits="10"), system_member(SystemAccount.TECHNE)
    invoices.pay(invoice=sent(ada, item("2", "2")), idempotency_key=key(), acting=actor(ada))
    walk.posted()
    given = {"giver": techne, "recipient": ada, "amount": cloud("1"), "reason": "thanks", "idempotency_key": key()}
    walk(lambda: grant(**given, acting=SYSTEM), {"5930": "10", "1130": "-10"})


@pytest.mark.parametrize("way", ["up", "down"])
def test_correction(walk, way):
    ada = make_member(credits="10")
    walk.posted()
    side = {"to_member": ada} if way == "up" else {"from_member": ada}
    moved = {"5930": "20", "2220": "-20"} if way == "up" else {"2220": "20", "5930": "-20"}
    given = {"amount": cloud("2"), "reason": "a slip", "idempotency_key": key(), "acting": SYSTEM}
    walk(lambda: correct(**side, **given), moved)


def test_manual_mint(walk):
    ada = make_member()
    may = ("cloud_credits.mint_credits", "cloud_credits.approve_mint")
    given = {"member": ada, "amount": cloud("3"), "reason": "a cheque", "idempotency_key": key()}
    walk(lambda: request_manual_mint(**given, acting=actor(make_member(), *may)))
    approval = Approval.objects.get()
    second = actor(make_member(), *may)
    walk(lambda: approvals.grant(approval=approval, reason="seen", acting=second), {"5930": "30", "2220": "-30"})


# --- suppliers, savings, taxes


def test_bill_and_its_payment(walk, mercury_sandbox):
    walk(lambda: make_bill("120", number="R-99"), {"5510": "120", "2110": "-120"})
    walk(lambda: confirmed(mercury_sandbox, "-120", "Hetzner R-99"), {"1110": "-120", "2110": "120"})


def test_tax_accrued_and_paid(walk, mercury_sandbox):
    tax = {"kind": BillKind.TAX, "account": "6510", "supplier": "IRS", "number": "941-Q2"}
    walk(lambda: make_bill("300", **tax), {"6510": "300", "2120": "-300"})
    walk(lambda: confirmed(mercury_sandbox, "-300", "USATAXPYMT 941-Q2"), {"1110": "-300", "2120": "300"})


def test_interest(walk, mercury_sandbox):
    walk(lambda: confirmed(mercury_sandbox, "3.21", kind="interestPayment"), {"1110": "3.21", "4910": "-3.21"})


def test_to_savings(walk, mercury_sandbox):
    walk(lambda: confirmed(mercury_sandbox, "-500", kind="internalTransfer"), {"1110": "-500", "1120": "500"})


# --- what no suspension changes


def test_suspended_minting_only_leaves_money_waiting_in_2240(walk):
    ada = buyer()
    fund(ada, "1")
    suspend()
    walk.posted()
    payment = walk(lambda: pay(ada, "100"), {"1115": "100", "2240": "-100"})
    walk(lambda: mint(payment))
    assert -stands("2240") == 100
