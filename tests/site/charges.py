"""A charge at Stripe's sandbox and what befalls it, there and here; and what must be true to the cent meanwhile."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Any, Final

import httpx
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from cloud_credits.actions import purchases, refunds, terms
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer
from cloud_credits.models import CloudBalance, Receivable, RefundRequest
from cloud_credits.reports.terms import current
from cloud_credits.workflows.payments import HANDLERS
from cloud_credits.workflows.purchases import open_now
from habitat.errors import HabitatError
from habitat.events.models import Delivery, Event
from habitat.events.workflows import queue
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from habitat.site.reports.verification import GUARDS, proofs
from habitat.workflows.models import Execution
from habitat.workflows.policies.states import OPEN
from habitat.workflows.workflows import sagas
from tests.cloud_credits.ledger import holds
from tests.factories import actor, key, make_member
from tests.sandboxes import Sandbox
from tests.treasury.banking import deposit, read
from tests.treasury.money_in import books
from tests.treasury.stripe_side import KEY
from treasury.actions import disputes, stripe_events, stripe_movements
from treasury.actions import payments as treasury_payments
from treasury.actions import refunds as treasury_refunds
from treasury.models import BankLine, BankMatch, MintSwitch, Payment, StripeEvent
from treasury.policies.stripe import StripeTransaction
from treasury.reports.payments import is_contested
from treasury.workflows import payments

NOTHING: Final = Decimal(0)
# A purchase of 10 CLOUD: 100.00 USD, of which Stripe keeps 3.20.
PAID: Final = Decimal(100)
MOST_ROUNDS: Final = 12
OPEN_DISPUTES: Final = ("needs_response", "under_review")
_numbers = count(1)
REFUND: Final = "cloud_credits.refund_credits"

_AGAIN = (
    "UPDATE events_delivery SET due_at = now() - random() * interval '1 hour' WHERE state = 'pending'",
    "UPDATE treasury_stripeevent SET due_at = now() - random() * interval '1 hour' WHERE state = 'received'",
    "UPDATE workflows_execution SET due_at = now() - interval '1 s' WHERE state IN ('running', 'compensating')",
)


def dollars(cents: int) -> Decimal:
    return Decimal(cents) / 100


@dataclass(frozen=True)
class Facts:
    """What Stripe says of all charges together. USD; `fees` with those of disputes."""

    paid: Decimal
    fees: Decimal
    refunded: Decimal
    on_its_way: Decimal
    contested: Decimal
    lost: Decimal
    balance: Decimal


@dataclass(frozen=True)
class Told:
    """One charge as Stripe tells it, USD: `back` by refunds, `leaving` by refunds of ours, `lost` in a dispute."""

    back: Decimal
    leaving: Decimal
    lost: Decimal

    @property
    def left(self) -> Decimal:
        """What the payer's credits are worth: no less than nothing."""
        return max(PAID - self.back - self.leaving - self.lost, NOTHING)

    @property
    def beyond(self) -> Decimal:
        """What went back beyond the payment: the cooperative's loss."""
        return max(self.back + self.leaving + self.lost - PAID, NOTHING)


class World:
    """The house and a Stripe. `act` is what happens there, `hear` what it tells of it; `check` compares both."""

    def __init__(self, seed: str = "") -> None:
        self.chance = random.Random(seed)
        self.shop = make_member("Shop")
        self.operator = actor(make_member("Operator"), REFUND)
        self._before = books()

    def pay(self, member: Member) -> str:
        """The member buys 10 CLOUD by card; the PaymentIntent."""
        raise NotImplementedError

    def act(self, what: str, **body: Any) -> dict[str, Any]:
        """What happens at Stripe; what its own rules forbid does not: {}."""
        raise NotImplementedError

    def rows(self, kind: str, **asked: Any) -> list[dict[str, Any]]:
        """Stripe's objects of a kind, as it shows them."""
        raise NotImplementedError

    def hear(self) -> None:
        """Everything Stripe tells since the last time reaches the books: shuffled, and twice."""
        raise NotImplementedError

    def send(self, request: RefundRequest) -> None:
        """What workers do about a refund that operations asked for."""
        raise NotImplementedError

    def facts(self) -> Facts:
        moves, refunded, disputes = (self.rows(kind) for kind in ("balance_transactions", "refunds", "disputes"))

        def of(rows: list[dict[str, Any]], key: str, *values: str) -> Decimal:
            return dollars(sum(row["amount"] for row in rows if row[key] in values))

        return Facts(
            paid=of(moves, "type", "charge", "payment"),
            fees=dollars(sum(move["fee"] for move in moves)),
            refunded=of(refunded, "status", "succeeded"),
            on_its_way=of(refunded, "status", "pending"),
            contested=of(disputes, "status", *OPEN_DISPUTES),
            lost=of(disputes, "status", "lost"),
            balance=dollars(sum(move["net"] for move in moves)),
        )

    def at_the_bank(self) -> Decimal:
        """USD that Stripe paid out, as the bank's lines say."""
        return NOTHING

    # --- what must be true

    def check(self, charges: "list[Charge]") -> Facts:
        """Paid − refunded − lost − fees = what is held, digit for digit; and every proof of the books."""
        told, book = self.facts(), books()
        each = [(charge, charge.told()) for charge in charges]

        def stands(code: str) -> Decimal:
            return book.get(code, NOTHING) - self._before.get(code, NOTHING)

        kept = told.paid - told.refunded - told.lost - told.fees
        assert stands("1115") + stands("1116") + stands("1110") == kept
        # Stripe's balance and what is contested there, and the bank: told by them, and booked.
        assert told.balance + told.on_its_way + told.contested + self.at_the_bank() == kept
        assert stands("1110") == self.at_the_bank()
        assert stands("1115") == told.balance + told.on_its_way
        assert stands("1116") == told.contested
        assert stands("5910") == told.fees
        assert stands("5930") == sum((one.beyond for _, one in each), NOTHING)
        assert -stands("2240") == sum((charge.held(one) for charge, one in each), NOTHING)
        total = CloudBalance.objects.aggregate(sum=Sum("liquid") + Sum("staked"))["sum"]
        assert -book.get("2220", NOTHING) == 10 * total
        owed = Receivable.objects.aggregate(sum=Sum("amount") - Sum("settled"))["sum"] or NOTHING
        assert book.get("1310", NOTHING) == 10 * owed
        for charge, one in each:
            charge.check(one)
        self.prove()
        return told

    def prove(self) -> None:
        """Every proof of `verify_books` but the guards, which no step touches."""
        results = [(proof.name, proof.run()) for floor, proof in proofs() if floor != GUARDS]
        assert [f"{name}: {result.message}" for name, result in results if not result.ok] == []
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("SET CONSTRAINTS ALL DEFERRED")


class HttpWorld(World):
    """Stripe's sandbox by its HTTP: webhooks stored, processed and delivered as workers do it."""

    def __init__(self, sandbox: Sandbox, seed: str = "") -> None:
        super().__init__(seed)
        # One connection: opening one costs more than most of what is asked.
        self.http = httpx.Client(
            base_url=sandbox.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60, trust_env=False
        )
        self._last = ""

    def pay(self, member: Member) -> str:
        wish = purchases.begin(member=member, amount=cloud(PAID / 10), idempotency_key=key(), acting=actor(member))
        return self.act("pay", session=open_now(wish).session_id)["payment_intent"]

    def act(self, what: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"/_sandbox/{what}", json=body)
        return {} if answer.status_code == 400 else answer.raise_for_status().json()

    def rows(self, kind: str, **asked: Any) -> list[dict[str, Any]]:
        answer = self.http.get(f"/v1/{kind}", params={"limit": 100, **asked}).raise_for_status().json()
        assert not answer["has_more"]
        return answer["data"]

    def send(self, request: RefundRequest) -> None:
        sagas.drain()

    def hear(self) -> None:
        told = self.rows("events", **({"ending_before": self._last} if self._last else {}))
        self._last = told[0]["id"] if told else self._last
        # Stripe sends one again, or makes two events of one thing.
        told = [*told, *({**one, "id": f"{one['id']}_again"} for one in told)]
        self.chance.shuffle(told)
        for one in told:
            stripe_events.store(event_id=one["id"], type=one["type"], payload=one, acting=SYSTEM)
        self.settle()

    def settle(self) -> None:
        """What workers do, until nothing is left to do; facts reach their subscribers in any order."""
        for _ in range(MOST_ROUNDS):
            with connection.cursor() as cursor:
                cursor.execute("SELECT setseed(%s)", [self.chance.random()])
                for sentence in _AGAIN:
                    cursor.execute(sentence)
            if not payments.drain() + queue.drain(queue.DELIVERIES) + sagas.drain() and not any(self.left_over()):
                return
        raise AssertionError(f"never quiet: {self.left_over()}")

    def left_over(self) -> tuple[list[str], list[str], list[str]]:
        """Errors of webhooks, facts and sagas that are not done."""
        return (
            list(StripeEvent.objects.filter(state__in=["received", "failed"]).values_list("error", flat=True)),
            list(Delivery.objects.exclude(state="delivered").values_list("error", flat=True)),
            list(Execution.objects.filter(state__in=["stuck", *OPEN]).values_list("error", flat=True)),
        )


class BankWorld(HttpWorld):
    """With the bank behind it: Stripe pays out what is available, and the bank's line is read and matched."""

    def __init__(self, sandbox: Sandbox, bank: Sandbox, seed: str = "") -> None:
        super().__init__(sandbox, seed)
        self.bank = bank
        self.paid_out: list[Decimal] = []

    def pay_out(self) -> None:
        """Nothing when nothing is available; a negative balance is taken from the bank."""
        self.act("make_available")
        made = self.act("payout")
        if not made:
            return
        self.act("settle_payout", payout=made["id"], outcome="paid")
        self.hear()
        self.paid_out.append(dollars(made["amount"]))
        deposit(self.bank, str(self.paid_out[-1]), f"STRIPE {made['id']}", createdAt=timezone.now().isoformat())
        read(self.bank)
        self.settle()
        match = BankMatch.objects.latest("id")
        assert (match.kind, match.state) in {("payout", "confirmed"), ("stripe_debit", "confirmed")}

    def at_the_bank(self) -> Decimal:
        lines = BankLine.objects.values_list("current__amount", flat=True)
        assert sorted(lines) == sorted(self.paid_out)
        return sum(lines, NOTHING)


class PaperWorld(World):
    """The same by Stripe's rules on paper, told to the same verbs: some hundred orders in the time of ten by HTTP."""

    def __init__(self, seed: str = "") -> None:
        super().__init__(seed)
        self.charges: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, list[dict[str, Any]]] = {"balance_transactions": [], "refunds": [], "disputes": []}
        self._next: list[str] = []
        self._heard = Event.objects.latest("id").pk

    def pay(self, member: Member) -> str:
        number = next(_numbers)
        wish = purchases.begin(member=member, amount=cloud(PAID / 10), idempotency_key=key(), acting=actor(member))
        charge = {"id": f"ch_{number}", "payment_intent": f"pi_{number}", "amount": 10_000, "refunded": 0}
        self.charges[charge["payment_intent"]] = charge | {"member": member, "purchase": str(wish.pk)}
        self._move("charge", 10_000, 320, charge["id"])
        return charge["payment_intent"]

    def rows(self, kind: str, **asked: Any) -> list[dict[str, Any]]:
        return [row for row in self.kept[kind] if all(row[name] == value for name, value in asked.items())]

    def send(self, request: RefundRequest) -> None:
        """As the saga's steps do: burn, ask, write down; refused: the credits are given back."""
        refunds.burn(request_id=request.pk, acting=SYSTEM)
        made = self.act(
            "refund", payment_intent=request.payment.reference, amount=int(request.amount * 1_000), ours=True
        )
        if made:
            refunds.record_sent(request_id=request.pk, refund_id=made["id"], acting=SYSTEM)
        else:
            refunds.fail(request_id=request.pk, why="Stripe refused it.", acting=SYSTEM)

    def act(self, what: str, **body: Any) -> dict[str, Any]:
        return getattr(self, f"_{what}")(**body)

    # --- Stripe's rules

    def _next_refund(self, outcome: str = "", *, clear: bool = False) -> dict[str, Any]:
        self._next = [] if clear else [outcome]
        return {}

    def _refund(self, payment_intent: str, amount: int, *, ours: bool = False) -> dict[str, Any]:
        charge = self.charges[payment_intent]
        disputes = self.rows("disputes", payment_intent=payment_intent)
        if amount > charge["amount"] - charge["refunded"] or any(one["status"] != "won" for one in disputes):
            return {}
        refund = {
            "id": f"re_{next(_numbers)}",
            "payment_intent": payment_intent,
            "amount": amount,
            "status": "pending",
            "ours": ours,
        }
        self.kept["refunds"].append(refund)
        charge["refunded"] += amount
        self._move("refund", -amount, 0, refund["id"])
        outcome = self._next.pop() if self._next else "succeeded"
        return refund if outcome == "pending" else self._settle_refund(refund["id"], outcome)

    def _settle_refund(self, refund: str, outcome: str) -> dict[str, Any]:
        [found] = self.rows("refunds", id=refund)
        if found["status"] in ("failed", outcome):
            return {}
        if outcome == "failed":
            self.charges[found["payment_intent"]]["refunded"] -= found["amount"]
            self._move("refund_failure", found["amount"], 0, refund)
        found["status"] = outcome
        return found

    def _dispute(self, payment_intent: str, amount: int) -> dict[str, Any]:
        if self.rows("disputes", payment_intent=payment_intent):
            return {}
        made = {
            "id": f"dp_{next(_numbers)}",
            "payment_intent": payment_intent,
            "amount": amount,
            "status": "needs_response",
        }
        self.kept["disputes"].append(made)
        self._move("adjustment", -amount, 1_500, made["id"])
        return made

    def _close_dispute(self, dispute: str, outcome: str) -> dict[str, Any]:
        [found] = self.rows("disputes", id=dispute)
        if found["status"] in ("won", "lost"):
            return {}
        found["status"] = outcome
        if outcome == "won":
            self._move("adjustment", found["amount"], 0, dispute)
        return found

    def _move(self, kind: str, amount: int, fee: int, source: str) -> None:
        self.kept["balance_transactions"].append(
            {
                "id": f"txn_{next(_numbers)}",
                "type": kind,
                "amount": amount,
                "fee": fee,
                "net": amount - fee,
                "source": source,
                "told": StripeTransaction(
                    id=f"txn_{next(_numbers)}",
                    type=kind,
                    amount=dollars(amount),
                    fee=dollars(fee),
                    net=dollars(amount - fee),
                    currency="usd",
                    source_id=source,
                    description="",
                    available_on=timezone.now(),
                    created=timezone.now(),
                ),
            }
        )

    # --- what it tells

    def hear(self) -> None:
        """Every object of every charge as it stands, each twice in any order; then the facts, so too."""
        told: list[Callable[[], object]] = [
            partial(self._tell, what, row["id"]) for what in ("refunds", "disputes") for row in self.kept[what]
        ] * 2
        told += [partial(self._tell_charge, reference) for reference in self.charges] * 2
        self.chance.shuffle(told)
        for one in told:
            one()
        for row in self.kept["balance_transactions"]:
            stripe_movements.record(told=row["told"], acting=SYSTEM)
        self._deliver()

    def _tell_charge(self, reference: str) -> Payment:
        charge = self.charges[reference]
        return treasury_payments.receive(
            provider="stripe",
            reference=reference,
            member=charge["member"],
            amount=PAID,
            method="card",
            charge_id=charge["id"],
            purchase_ref=charge["purchase"],
            occurred_at=timezone.now(),
            acting=SYSTEM,
        )

    def _tell(self, what: str, identity: str) -> None:
        [row] = self.rows(what, id=identity)
        payment = self._tell_charge(row["payment_intent"])
        if what == "refunds":
            treasury_refunds.observe(
                payment=payment,
                refund_id=identity,
                amount=dollars(row["amount"]),
                status=row["status"],
                is_ours=row["ours"],
                acting=SYSTEM,
            )
            return
        told = disputes.Told(
            dispute_id=identity,
            amount=dollars(row["amount"]),
            status=row["status"],
            reason="fraudulent",
            opened_at=timezone.now(),
            transactions=[one["told"] for one in self.rows("balance_transactions", source=identity)],
        )
        disputes.observe(payment=payment, told=told, acting=SYSTEM)

    def _deliver(self) -> None:
        """What the credits' floor hears of it, until it tells nothing new."""
        while fresh := list(Event.objects.filter(pk__gt=self._heard, name__in=HANDLERS).order_by("pk")):
            self._heard = fresh[-1].pk
            facts = [event.delivered() for event in fresh] * 2
            self.chance.shuffle(facts)
            for fact in facts:
                HANDLERS[fact.name](fact)


class Charge:
    """One purchase of 10 CLOUD by card, its steps, and what its facts at Stripe alone ask for."""

    def __init__(self, world: World, *, minted: bool = True) -> None:
        self.world = world
        self.member: Member = make_member(is_investor=True)
        terms.accept(member=self.member, version=current().version, acting=actor(self.member))
        self.reference = world.pay(self.member)
        # Of this charge, in the order they were made; `ours` of them by operations.
        self.refunds: list[str] = []
        self.ours: set[str] = set()
        self.dispute = ""
        self.spent = self.staked = NOTHING
        if minted:
            world.hear()
            assert holds(self.member) == (PAID / 10, 0)

    def payment(self) -> Payment:
        return Payment.objects.get(reference=self.reference)

    # --- what the member does

    def spend(self, amount: str) -> None:
        part = min(Decimal(amount), holds(self.member)[0])
        if part:
            transfer(
                sender=self.member,
                recipient=self.world.shop,
                amount=cloud(part),
                idempotency_key=key(),
                acting=actor(self.member),
            )
            self.spent += part

    def stake(self, amount: str) -> None:
        part = min(Decimal(amount), holds(self.member)[0])
        if part:
            stake(member=self.member, amount=cloud(part), days=90, idempotency_key=key(), acting=actor(self.member))
            self.staked += part

    # --- what operations do

    def we_refund(self, usd: str, outcome: str = "succeeded") -> None:
        """Operations refund: refused with nothing changed, or asked; then Stripe may refuse, and all is as before."""
        before = holds(self.member), books()
        try:
            asked = refunds.request(
                payment=self.payment(),
                amount=cloud(Decimal(usd) / 10),
                reason="asked for",
                idempotency_key=key(),
                acting=self.world.operator,
            )
        except HabitatError:
            assert (holds(self.member), books()) == before
            return
        known = self._at_stripe()
        with self._next(outcome):
            self.world.send(asked)
        self._keep(known, owed_before=before[0])

    def _keep(self, known: set[str], owed_before: tuple[Decimal, Decimal]) -> None:
        made = self._at_stripe() - known
        self.refunds += made
        self.ours |= made
        if not made:
            # Stripe refused: what was burned is the member's again.
            assert holds(self.member) == owed_before

    # --- what happens at Stripe

    def stripe_refunds(self, usd: str, outcome: str = "succeeded") -> None:
        with self._next(outcome):
            made = self.world.act("refund", payment_intent=self.reference, amount=int(Decimal(usd) * 100))
        if made:
            self.refunds.append(made["id"])

    def refund_ends(self, number: int, outcome: str) -> None:
        if number < len(self.refunds):
            self.world.act("settle_refund", refund=self.refunds[number], outcome=outcome)

    def contest(self, usd: str) -> None:
        made = self.world.act("dispute", payment_intent=self.reference, amount=int(Decimal(usd) * 100))
        self.dispute = made["id"] if made else self.dispute

    def dispute_ends(self, outcome: str) -> None:
        if self.dispute:
            self.world.act("close_dispute", dispute=self.dispute, outcome=outcome)

    @contextmanager
    def _next(self, outcome: str) -> Iterator[None]:
        """How the next refund at Stripe ends."""
        self.world.act("next_refund", outcome=outcome)
        yield
        self.world.act("next_refund", clear=True)

    def _at_stripe(self) -> set[str]:
        return {row["id"] for row in self._rows("refunds")}

    def _rows(self, kind: str) -> list[dict[str, Any]]:
        return self.world.rows(kind, payment_intent=self.reference)

    # --- what its facts ask for

    def told(self) -> Told:
        """This charge by Stripe's own words."""
        rows, disputes = self._rows("refunds"), self._rows("disputes")

        def of(status: str, *, ours: bool) -> Decimal:
            return dollars(
                sum(row["amount"] for row in rows if row["status"] == status and (row["id"] in self.ours) is ours)
            )

        return Told(
            back=of("succeeded", ours=True) + of("succeeded", ours=False),
            leaving=of("pending", ours=True),
            lost=dollars(sum(row["amount"] for row in disputes if row["status"] == "lost")),
        )

    def check(self, told: Told) -> None:
        """Credits follow dollars: what is there, spent and owed is what was paid less what went back, never below."""
        payment = self.payment()
        assert (payment.refunded, payment.disputed) == (told.back, told.lost)
        liquid, staked = holds(self.member)
        assert liquid >= 0
        # Staked credits are never burned.
        assert staked == self.staked
        owed = Receivable.objects.filter(member=self.member).aggregate(sum=Sum("amount") - Sum("settled"))["sum"]
        has = 10 * (liquid + staked + self.spent - (owed or NOTHING))
        assert has == (told.left - payment.late if self.is_minted else NOTHING)
        # Only what holds up a mint leaves what came back after it waiting.
        assert payment.late == 0 or self.is_held_up
        # Nobody owes what they still could pay with, unless they came to it later.
        assert owed is None or owed <= self.spent + self.staked

    @property
    def is_held_up(self) -> bool:
        """Minting is suspended, or what is left is uncertain."""
        switch = MintSwitch.objects.get()
        return not (switch.manual and switch.automatic) or is_contested(self.payment())

    @property
    def is_minted(self) -> bool:
        return self.payment().minted > 0

    def held(self, told: Told) -> Decimal:
        """What of it stands in 2240: all that is left while it is not minted, then what waits or is on its way back."""
        return told.leaving + (self.payment().late if self.is_minted else told.left)
