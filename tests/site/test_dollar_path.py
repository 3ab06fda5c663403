"""A dollar's whole way over real HTTP, from the payer's card to the matched bank line, and every arrow cut in turn.

Each cut names exactly what is missing and what to do; that done it closes, and the books end as the whole way's do.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

import httpx
import pytest
from django.utils import timezone

from cloud_credits.models import CloudTransaction, Purchase
from habitat.controls.actions import settings as controls
from habitat.members.actions import members
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from tests.sandboxes import MERCURY_TOKEN
from tests.site.cooperative import broken, verify_books
from tests.site.world import World, books, credits_of, payment_of, wait_for, worker
from tests.treasury.banking import OLGA
from treasury.actions import backing, bank_matches, payments, payouts, stripe_events
from treasury.models import BankLine, BankMatch, Payment, Payout, StripeEvent
from treasury.policies.bank import MatchKind, TargetKind
from treasury.policies.matching import Target
from treasury.policies.references import member_reference
from treasury.workflows import sweep
from treasury.workflows.payments import drain

pytestmark = pytest.mark.django_db(transaction=True)

BY_CARD = [
    "Webhook stored",
    "Payment booked",
    "Credits minted",
    "Balance transaction",
    "Fee booked",
    "Pay-out",
    "Bank line",
    "Line matched",
]
BY_WIRE = ["Bank line", "Payment booked", "Line matched", "Credits minted"]
# A hundred dollars by card: 2.9 % + 0.30 are Stripe's.
NET = Decimal("96.80")
ENDS = {
    "1110": Decimal("20096.80"),
    "2220": Decimal(-100),
    "3320": Decimal(-20_000),
    "5910": Decimal("3.20"),
}
Gaps = dict[str, str]
# What a trace is asked for, and the gaps it must name, each by its first words; nothing else may be missing.
Told = Iterator[tuple[str, Gaps]]

NOT_PAID_OUT = {"Pay-out": "waiting Not paid out yet"}


def check(world: World, wanted: str, expected: Gaps, by: str = "reference") -> None:
    seen = world.traced(wanted, by)
    assert sorted(seen.gaps) == sorted(expected), seen.gaps
    for title, words in expected.items():
        assert seen.gaps[title].startswith(words), seen.gaps


def check_books() -> None:
    """Every proof of the house holds."""
    code, output = verify_books()
    assert (code, broken(output)) == (0, []), output[:3000]


# --- the whole way


def test_card__goes_from_checkout_to_the_matched_line_by_itself(world: World) -> None:
    """With the real worker: all that people do is to buy, to pay, and to press `Read the bank now`."""
    ada = world.member()
    with worker(world):
        pi = world.buy(ada)
        wait_for(lambda: CloudTransaction.objects.filter(to_member=ada, state="completed").exists())
        assert credits_of(ada) == 10
        check(world, pi, NOT_PAID_OUT)

        world.send_payout()
        wait_for(lambda: Payout.objects.filter(state="paid").exists())
        wait_for(lambda: "Bank line" in world.traced(pi).gaps)
        world.press("/admin/treasury/bankaccount/verb/read-now/")

        wait_for(lambda: world.traced(pi).is_whole)
    assert world.traced(pi).links == BY_CARD
    assert Purchase.objects.get().state == "minted"
    assert books() == ENDS
    check_books()


def test_whole_way__is_found_from_each_of_its_ends(world: World) -> None:
    ada = world.member()
    pi = world.buy(ada)
    payout = finish(world)
    payment = payment_of(pi)
    movement = world.stripe_said(f"charges/{payment.charge_id}")["balance_transaction"]
    ends = [
        ("payment", payment.pk),
        ("transaction", CloudTransaction.objects.get(type="mint").pk),
        ("member", ada.pk),
        ("line", BankLine.objects.get().pk),
        *(("reference", name) for name in (pi, payment.charge_id, payout, movement)),
    ]

    for by, wanted in ends:
        seen = world.traced(str(wanted), by)
        assert (by, seen.is_whole, seen.links) == (by, True, BY_CARD)


def finish(world: World) -> str:
    """What is left of the way when nothing is cut: its pay-out arrives and is read."""
    world.hear()
    payout = world.send_payout()
    world.hear()
    world.read_bank()
    return payout


# --- each arrow cut


def webhook_dropped(world: World, ada: Member) -> Told:
    world.stripe.control("webhooks", mode="drop")
    pi = world.buy(ada)
    world.hear()
    yield pi, {"Webhook stored": "failed The webhook never came. Run the sweep"}

    sweep.sweep(now=timezone.now())
    world.work()
    assert credits_of(ada) == 10
    found = {"Webhook stored": "failed The webhook never came: the payment was found without it. Nothing is lost."}
    yield pi, found | NOT_PAID_OUT

    world.stripe.control("webhooks", mode="normal")
    for event in world.stripe_said("events", type="payment_intent.succeeded")["data"]:
        world.stripe.control("resend", event=event["id"])
    world.hear()
    yield pi, NOT_PAID_OUT


def worker_down(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    world.stripe.control("wait_webhooks")
    yield pi, {"Webhook stored": "waiting The webhook waits to be processed."}
    world.work()
    yield pi, NOT_PAID_OUT


def webhook_failed(world: World, ada: Member) -> Told:
    """Stripe answers 500 to every question until the attempts are used up."""
    controls.change(key="events.max_attempts", value=1, reason="a drill", acting=SYSTEM)
    pi = world.buy(ada)
    world.stripe.control("faults", kind="500", method="GET", path="/v1", times=1_000)
    world.hear()
    yield pi, {"Webhook stored": "failed The webhook failed. Read its error and have it processed again."}

    world.stripe.control("clear_faults")
    for event in StripeEvent.objects.filter(state="failed"):
        stripe_events.process_again(event=event, reason="Stripe answers again", acting=SYSTEM)
    world.work()
    yield pi, NOT_PAID_OUT


def mint_suspended(world: World, ada: Member) -> Told:
    backing.suspend_minting(reason="a drill", acting=SYSTEM)
    pi = world.buy(ada)
    world.hear()
    yield pi, {"Credits minted": "waiting Minting is suspended; the payment waits"} | NOT_PAID_OUT
    assert credits_of(ada) == 0
    backing.resume_minting(reason="the drill is over", acting=SYSTEM)
    world.work()
    yield pi, NOT_PAID_OUT


def member_suspended(world: World, ada: Member) -> Told:
    purchase = world.wish(ada)
    members.suspend(member=ada, reason="a complaint", acting=SYSTEM)
    pi = world.pay(purchase)
    world.hear()
    waits = {"Credits minted": "waiting The payment has waited for its credits 0 hours: the membership is not active."}
    yield pi, waits | NOT_PAID_OUT
    members.reinstate(member=ada, reason="it was settled", acting=SYSTEM)
    world.work()
    yield pi, NOT_PAID_OUT


def mint_not_done(world: World, ada: Member) -> Told:
    """The webhook is processed, and then the worker is gone: nobody hears `payment.received`."""
    pi = world.buy(ada)
    world.stripe.control("wait_webhooks")
    drain()
    waits = {"Credits minted": "failed The payment has waited for its credits 0 hours. The worker mints it"}
    yield pi, waits | NOT_PAID_OUT
    world.work()
    yield pi, NOT_PAID_OUT


def movement_unread(world: World, ada: Member) -> Told:
    world.stripe.control("delay_balance_transactions")
    pi = world.buy(ada)
    world.hear()
    yield pi, {"Balance transaction": "failed Stripe's balance transaction is not read yet. Run the sweep"}
    world.stripe.control("delay_balance_transactions", on=False)
    world.stripe.control("release_balance_transactions")
    world.hear()
    yield pi, NOT_PAID_OUT


def movement_swept(world: World, ada: Member) -> Told:
    """The same, and the webhook that tells of it is lost: the sweep finds it."""
    world.stripe.control("delay_balance_transactions")
    pi = world.buy(ada)
    world.hear()
    world.stripe.control("webhooks", mode="drop")
    world.stripe.control("delay_balance_transactions", on=False)
    world.stripe.control("release_balance_transactions")
    yield pi, {"Balance transaction": "failed Stripe's balance transaction is not read yet. Run the sweep"}
    world.stripe.control("webhooks", mode="normal")
    sweep.sweep(now=timezone.now())
    yield pi, NOT_PAID_OUT


def no_payout(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    world.hear()
    yield pi, {"Pay-out": "waiting Not paid out yet, for 0 hours. Stripe pays out by its schedule"}


def payout_untold(world: World, ada: Member) -> Told:
    """Stripe paid out and said so to nobody; the bank has the line. It is no deposit of anybody's."""
    pi = world.buy(ada)
    world.hear()
    world.stripe.control("webhooks", mode="drop")
    world.send_payout()
    world.read_bank()
    yield pi, {"Pay-out": "waiting Not paid out yet, for 0 hours. Stripe pays out by its schedule; if it has, run"}
    world.stripe.control("webhooks", mode="normal")
    sweep.sweep(now=timezone.now())
    yield pi, {"Bank line": "failed Bank line"}
    world.read_bank()
    yield pi, {}


def payout_failed(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    world.hear()
    world.send_payout("failed")
    world.hear()
    yield pi, {"Pay-out": "failed The pay-out failed: the money is at Stripe again."}
    second = world.send_payout("paid")
    world.hear()
    yield pi, {"Bank line": "failed Paid out, not seen at the bank for"}
    world.read_bank()
    assert world.traced(second).links == [*BY_CARD[:6], *BY_CARD[5:]]
    yield pi, {}


def payout_fails_late(world: World, ada: Member) -> Told:
    """Stripe says paid, then failed; the bank never has it. The next one takes the money along."""
    pi = world.buy(ada)
    world.hear()
    payout = world.send_payout("paid")
    world.bank.control(f"transactions/{line_at_bank(world)['id']}/remove")
    world.hear()
    yield pi, {"Bank line": "failed Paid out, not seen at the bank for"}
    world.stripe.control("settle_payout", payout=payout, outcome="failed")
    world.hear()
    yield pi, {"Pay-out": "failed The pay-out failed: the money is at Stripe again."}


def payout_on_its_way(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    world.hear()
    payout = world.send_payout("in_transit")
    world.hear()
    world.read_bank()
    yield pi, {"Bank line": "waiting Paid out, not seen at the bank for"}
    world.stripe.control("settle_payout", payout=payout, outcome="paid")
    world.hear()
    yield pi, {"Bank line": "failed Paid out, not seen at the bank for"}
    world.read_bank()
    yield pi, {}


def bank_line_missing(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    world.hear()
    payout = world.send_payout()
    line = line_at_bank(world)
    world.bank.control(f"transactions/{line['id']}/remove")
    world.hear()
    world.read_bank()
    yield pi, {"Bank line": "failed Paid out, not seen at the bank for"}
    world.bank.control(
        "transactions", amount=str(NET), counterpartyName="STRIPE", bankDescription=f"STRIPE TRANSFER {payout}"
    )
    world.read_bank()
    yield pi, {}


def bank_line_pending(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    world.hear()
    world.send_payout()
    line = line_at_bank(world)
    world.bank.control(f"transactions/{line['id']}", status="pending", postedAt=None)
    world.hear()
    world.read_bank()
    yield pi, {"Bank line": "failed Paid out, not seen at the bank for"}
    world.bank.control(f"transactions/{line['id']}", status="sent")
    world.read_bank()
    yield pi, {}


def bank_down(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    world.hear()
    world.send_payout()
    world.hear()
    world.bank.control("faults", fault="500", times=1_000)
    answer = world.press("/admin/treasury/bankaccount/verb/read-now/", refused=True)
    assert "does not answer" in answer or "could not be" in answer
    yield pi, {"Bank line": "failed Paid out, not seen at the bank for"}
    world.bank.control("clear_faults")
    world.read_bank()
    yield pi, {}


def line_only_suggested(world: World, ada: Member) -> Told:
    """The line does not name its pay-out: a person must say so."""
    pi = world.buy(ada)
    world.hear()
    unnamed_payout(world)
    yield pi, {"Line matched": "failed The match is only suggested. Confirm or dismiss the suggestion."}
    bank_matches.confirm(match=BankMatch.objects.get(), reason="it is the one", acting=OLGA)
    yield pi, {}


def line_ignored(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    world.hear()
    unnamed_payout(world)
    line = BankLine.objects.get()
    ignored = bank_matches.ignore(line=line, reason="unknown to me", idempotency_key="a", acting=OLGA)
    yield pi, {"Bank line": f"failed Bank line {line.pk} has the pay-out's amount and is ignored."}
    bank_matches.unmatch(match=ignored, reason="it was the pay-out", acting=OLGA)
    yield pi, {"Line matched": "failed The match is only suggested."}
    bank_matches.confirm(match=BankMatch.objects.get(state="suggested"), reason="it is the one", acting=OLGA)
    yield pi, {}


def line_of_another(world: World, ada: Member) -> Told:
    """Two pay-outs of one amount; somebody takes the one's line for the other's."""
    pi = world.buy(ada)
    world.hear()
    first = unnamed_payout(world)
    line = BankLine.objects.get()
    bank_matches.dismiss(match=BankMatch.objects.get(), reason="not sure", acting=OLGA)
    other = told_of(first, "paid")
    wrong = by_hand(line, other, "a")
    yield pi, {"Bank line": f"failed Bank line {line.pk} has the pay-out's amount and is matched to something else"}
    bank_matches.unmatch(match=wrong, reason="it was the other's", acting=OLGA)
    yield pi, {"Bank line": f"failed Bank line {line.pk} has the pay-out's amount and is not matched."}
    by_hand(line, first, "b")
    told_of(first, "failed")
    yield pi, {}


def line_of_other_amount(world: World, ada: Member) -> Told:
    """The bank reports a cent less at first: nothing is matched until the sums agree."""
    pi = world.buy(ada)
    world.hear()
    world.send_payout()
    line = line_at_bank(world)
    world.bank.control(f"transactions/{line['id']}", amount="96.79")
    world.hear()
    world.read_bank()
    yield pi, {"Bank line": "failed Paid out, not seen at the bank for"}
    world.bank.control(f"transactions/{line['id']}", amount="96.80")
    world.read_bank()
    yield pi, {}


def line_changed(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    finish(world)
    line = line_at_bank(world)
    world.bank.control(f"transactions/{line['id']}", amount="96.79")
    world.read_bank()
    yield pi, {"Line matched": "failed The bank changed the line after it was matched."}
    world.bank.control(f"transactions/{line['id']}", amount="96.80")
    world.read_bank()
    yield pi, {}


def match_undone(world: World, ada: Member) -> Told:
    pi = world.buy(ada)
    finish(world)
    line = BankLine.objects.get()
    bank_matches.unmatch(match=BankMatch.objects.get(), reason="by mistake", acting=OLGA)
    yield pi, {"Bank line": f"failed Bank line {line.pk} has the pay-out's amount and is not matched."}
    by_hand(line, Payout.objects.get(), "again")
    yield pi, {}


CUTS: list[Callable[[World, Member], Told]] = [
    webhook_dropped,
    worker_down,
    webhook_failed,
    mint_suspended,
    member_suspended,
    mint_not_done,
    movement_unread,
    movement_swept,
    no_payout,
    payout_untold,
    payout_failed,
    payout_fails_late,
    payout_on_its_way,
    bank_line_missing,
    bank_line_pending,
    bank_down,
    line_only_suggested,
    line_ignored,
    line_of_another,
    line_of_other_amount,
    line_changed,
    match_undone,
]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
def test_cut__is_named_and_closes_when_it_is_mended(world: World, cut: Callable[[World, Member], Told]) -> None:
    ada = world.member()

    for wanted, expected in cut(world, ada):
        check(world, wanted, expected)

    if not world.traced(wanted).is_whole:
        finish(world)
    assert world.traced(wanted).is_whole
    assert credits_of(ada) == 10
    assert books() == ENDS
    check_books()


# --- wires: from the bank line to the credits


def wire(world: World, text: str, **facts: str) -> str:
    """A hundred dollars reach the bank; the line's id."""
    given = {"counterpartyName": "Ada", "bankDescription": text} | facts
    return str(world.bank.control("transactions", amount="100", **given)["id"])


def wire_of_nobody(world: World, ada: Member) -> Told:
    line = wire(world, "WIRE IN HAB-000000-1")
    world.read_bank()
    yield line, {"Credits minted": "failed Nobody knows whose payment it is. Say whose it is, or send it back."}
    payments.identify(payment=payment_of(line), member=ada, reason="she sent the slip", acting=SYSTEM)
    world.work()


def wire_pending(world: World, ada: Member) -> Told:
    line = wire(world, f"WIRE IN {member_reference(ada.pk)}", status="pending")
    world.read_bank()
    yield line, {"Bank line": "waiting The bank reports the line as pending."}
    world.bank.control(f"transactions/{line}", status="sent")
    world.read_bank()


def wire_unread(world: World, ada: Member) -> Told:
    """A line whose amount cannot be read is set aside whole; it is read when the bank has mended it."""
    line = wire(world, f"WIRE IN {member_reference(ada.pk)}")
    world.bank.control("faults", fault="missing_field", field="amount", path="transactions")
    world.read_bank()
    assert "Nothing is known of" in world.clerk.get("/admin/trace/", params={"by": "reference", "q": line}).text
    world.read_bank()
    yield line, {}


def wire_suspected(world: World, ada: Member) -> Told:
    """The same amount, day and words as another line: it is not booked before a person has looked."""
    at = timezone.now().isoformat()
    lines = {wire(world, f"WIRE IN {member_reference(ada.pk)}", createdAt=at) for _ in range(2)}
    world.read_bank()
    first = Payment.objects.get().reference
    (again,) = lines - {first}
    yield again, {"Payment booked": "failed The bank line is not booked. Read the bank again, or match"}
    bank_matches.confirm(match=BankMatch.objects.get(kind="duplicate"), reason="reported twice", acting=OLGA)
    yield first, {}


def wire_vanished(world: World, ada: Member) -> Told:
    line = wire(world, f"WIRE IN {member_reference(ada.pk)}")
    world.read_bank()
    world.bank.control(f"transactions/{line}/remove")
    world.read_bank()
    yield line, {"Bank line": "failed The bank no longer reports the line. Look at the line's versions."}
    world.bank.control("transactions", id=line, amount="100", bankDescription="WIRE IN", counterpartyName="Ada")
    world.read_bank()


WIRES: list[Callable[[World, Member], Told]] = [
    wire_of_nobody,
    wire_pending,
    wire_unread,
    wire_suspected,
    wire_vanished,
]


@pytest.mark.parametrize("cut", WIRES, ids=lambda cut: cut.__name__)
def test_cut_of_a_wire__is_named_and_closes_when_it_is_mended(
    world: World, cut: Callable[[World, Member], Told]
) -> None:
    ada = world.member()

    for wanted, expected in cut(world, ada):
        check(world, wanted, expected)

    assert world.traced(wanted).links == BY_WIRE
    assert world.traced(wanted).is_whole
    assert credits_of(ada) == 10
    assert books() == {"1110": Decimal(20_100), "2220": Decimal(-100), "3320": Decimal(-20_000)}
    check_books()


# --- a payment that goes back


def test_expelled__the_way_back_is_traced_to_its_end(world: World) -> None:
    ada = world.member()
    purchase = world.wish(ada)
    members.expel(member=ada, reason="the board's decision", acting=SYSTEM)
    world.stripe.control("next_refund", outcome="pending")
    pi = world.pay(purchase)
    world.hear()
    back = {"Credits minted": "waiting The payment is being sent back.", "Refund": "waiting Refund re_"}
    check(world, pi, back | NOT_PAID_OUT)
    assert books()["2240"] == Decimal(-100)

    refund = world.stripe_said("refunds")["data"][0]["id"]
    world.stripe.control("settle_refund", refund=refund, outcome="succeeded")
    world.hear()

    check(world, pi, NOT_PAID_OUT)
    assert "Refund" in world.traced(pi).links
    assert credits_of(ada) == 0
    # The dollars are the payer's again; what Stripe took for it is the cooperative's loss.
    assert books() == {
        "1110": Decimal(20_000),
        "1115": Decimal("-3.20"),
        "3320": Decimal(-20_000),
        "5910": Decimal("3.20"),
    }
    check_books()


# --- what the scenes are made of


def line_at_bank(world: World) -> dict[str, str]:
    """The bank's newest line, asked of the bank itself."""
    headers = {"Authorization": f"Bearer {MERCURY_TOKEN}"}
    answer = httpx.get(f"{world.bank.url}/api/v1/transactions", headers=headers, trust_env=False)
    return dict(answer.json()["transactions"][0])


def unnamed_payout(world: World) -> Payout:
    """It arrives, and the bank's line does not say which one it is."""
    world.send_payout()
    world.bank.control(f"transactions/{line_at_bank(world)['id']}", bankDescription="STRIPE TRANSFER")
    world.hear()
    world.read_bank()
    return Payout.objects.get()


def told_of(other: Payout, status: str) -> Payout:
    """Stripe tells of a second pay-out of the same amount and day."""
    return payouts.observe(
        payout_id="po_other",
        amount=other.amount,
        status=status,
        arrival_on=other.arrival_on,
        created_at=other.created_at,
        acting=SYSTEM,
    )


def by_hand(line: BankLine, payout: Payout, key: str) -> BankMatch:
    target = Target(TargetKind.PAYOUT, str(payout.pk), payout.amount)
    return bank_matches.match_by_hand(
        kind=MatchKind.PAYOUT, lines=[line], targets=[target], reason="by hand", idempotency_key=key, acting=OLGA
    )
