"""The credit ledger against a plain model: whatever people do in whatever order, balances and books agree."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import correct, reverse
from cloud_credits.actions.grants import grant
from cloud_credits.actions.mints import request_manual_mint
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.staking import stake, unstake
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import InsufficientBalance, NotReversible, SelfTransfer, StillLocked, TechneTakesNoTransfers
from cloud_credits.models import CloudBalance, CloudTransaction, Receivable, StakingPosition
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.errors import AmountNotPositive, IdempotencyConflict, TooManyDecimals, WrongCurrency
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import CLOUD, Money, cloud, usd
from tests.cloud_credits.ledger import Clock, account, broken_proofs, commit_checks, refused
from tests.factories import actor, back_credits, make_member, system_member

FURTHEST = timedelta(days=400)
EXAMPLES, STEPS, LEAST_STEPS = 60, 50, 2_000
TECHNE, POOL = "techne", "pool"
PEOPLE = ("ada", "ben", "cleo")
EVERYBODY = (*PEOPLE, TECHNE, POOL)

people = st.sampled_from(PEOPLE)
everybody = st.sampled_from(EVERYBODY)
givers = st.sampled_from((TECHNE, POOL))
amounts = st.decimals(min_value="0.00000001", max_value="40", places=8) | st.sampled_from(
    [Decimal("0.00000001"), Decimal("1"), Decimal("12.5")]
)
picks = st.integers(min_value=0, max_value=1_000)


@dataclass
class Done:
    """One booked transaction as the model knows it."""

    amount: Decimal
    giver: str | None = None
    holder: str | None = None
    is_reversed: bool = False


@dataclass
class Owed:
    debtor: str
    amount: Decimal


@dataclass
class Model:
    """What should be true: plain dictionaries, no database."""

    liquid: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(EVERYBODY, Decimal(0)))
    staked: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(EVERYBODY, Decimal(0)))
    owed: list[Owed] = field(default_factory=list)
    done: dict[int, Done] = field(default_factory=dict)

    def move(self, amount: Decimal, giver: str | None, holder: str | None) -> None:
        if giver:
            self.liquid[giver] -= amount
        if holder:
            self.liquid[holder] += amount

    def undo(self, done: Done) -> bool:
        """False when it cannot be undone; nothing has changed then."""
        taken = min(done.amount, self.liquid[done.holder]) if done.holder else done.amount
        missing = done.amount - taken
        if missing and done.holder == TECHNE and done.giver is None:
            return False
        self.move(taken, done.holder, done.giver)
        if missing and done.giver not in {None, TECHNE}:
            self.move(missing, None, done.giver)
        if missing and done.holder != TECHNE:
            self.owed.append(Owed(done.holder, missing))
        done.is_reversed = True
        return True

    def release(self, member: str, amount: Decimal) -> None:
        self.staked[member] -= amount
        self.liquid[member] += amount
        left = amount
        for debt in [debt for debt in self.owed if debt.debtor == member]:
            part = min(left, debt.amount)
            debt.amount -= part
            self.liquid[member] -= part
            left -= part


class LedgerMachine(RuleBasedStateMachine):
    """Every rule asks the product and the model the same; after each step the two are compared."""

    members: ClassVar[dict[str, Member]]
    clock: ClassVar[Clock]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.keys = 0
        self.calls: list[tuple[Callable[..., Any], dict[str, Any], int]] = []
        self.world = transaction.atomic()
        self.world.__enter__()
        self.clock.__enter__()

    def teardown(self) -> None:
        self.clock.__exit__()
        transaction.set_rollback(True)
        self.world.__exit__(None, None, None)

    # --- asking both

    def ask(self, verb: Callable[..., Any], *, refusal: type[Exception] | None = None, **given: Any) -> int | None:
        """Calls a verb with a fresh key; it must succeed, or refuse as `refusal` and change nothing."""
        self.keys += 1
        call = {"acting": SYSTEM, **given, "idempotency_key": f"key-{self.keys}"}
        if refusal is not None:
            refused(refusal, partial(verb, **call))
            return None
        outcome = verb(**call)
        assert not outcome.replayed
        self.calls.append((verb, call, outcome.transaction.pk))
        return outcome.transaction.pk

    def book(
        self, verb: Callable[..., Any], amount: Decimal, sides: tuple[str | None, str | None], **given: Any
    ) -> None:
        """A verb that moves liquid credits: refused when the giver, the first of `sides`, is short of them."""
        giver = sides[0]
        short = giver is not None and self.model.liquid[giver] < amount
        pk = self.ask(verb, refusal=InsufficientBalance if short else None, amount=cloud(amount), **given)
        if pk is not None:
            self.model.move(amount, *sides)
            self.model.done[pk] = Done(amount, *sides)

    # --- what people do

    @initialize()
    def techne_and_pool_hold_something(self) -> None:
        """So that grants are made, spent and undone in most runs."""
        for account_holder in (TECHNE, POOL):
            self.correct_up(account_holder, Decimal(50))

    @rule(member=people | st.just(POOL), amount=amounts, agreed=st.sampled_from([True, True, True, False]))
    def mint(self, member: str, amount: Decimal, agreed: bool) -> None:
        asker = actor(self.members["ada"], "cloud_credits.mint_credits")
        second = actor(self.members["ben"], "cloud_credits.approve_mint")
        pk = self.ask(
            request_manual_mint,
            member=self.members[member],
            amount=cloud(amount),
            reason="a cheque",
            acting=asker,
        )
        approval = Approval.objects.get(payload__transaction=str(pk))
        if not agreed:
            approvals.refuse(approval=approval, reason="no", acting=second)
            return
        approvals.grant(approval=approval, reason="seen", acting=second)
        self.model.move(amount, None, member)
        self.model.done[pk] = Done(amount, None, member)

    @rule(member=everybody, amount=amounts)
    def correct_up(self, member: str, amount: Decimal) -> None:
        self.book(correct, amount, (None, member), to_member=self.members[member], reason="put right")

    @rule(member=everybody, amount=amounts)
    def correct_down(self, member: str, amount: Decimal) -> None:
        self.book(correct, amount, (member, None), from_member=self.members[member], reason="put right")

    @rule(giver=everybody, holder=everybody, amount=amounts)
    def correct_both(self, giver: str, holder: str, amount: Decimal) -> None:
        given = {"from_member": self.members[giver], "to_member": self.members[holder], "reason": "put right"}
        if giver == holder:
            self.ask(correct, refusal=SelfTransfer, amount=cloud(amount), **given)
        else:
            self.book(correct, amount, (giver, holder), **given)

    @rule(giver=people, holder=people | st.just(TECHNE), amount=amounts, everything=st.booleans())
    def transfer(self, giver: str, holder: str, amount: Decimal, everything: bool) -> None:
        amount = self.model.liquid[giver] if everything and self.model.liquid[giver] else amount
        given = {"sender": self.members[giver], "recipient": self.members[holder]}
        if giver == holder:
            self.ask(transfer, refusal=SelfTransfer, amount=cloud(amount), **given)
        elif holder == TECHNE:
            self.ask(transfer, refusal=TechneTakesNoTransfers, amount=cloud(amount), **given)
        else:
            self.book(transfer, amount, (giver, holder), **given)

    @rule(member=everybody, amount=amounts, everything=st.booleans())
    def redeem(self, member: str, amount: Decimal, everything: bool) -> None:
        amount = self.model.liquid[member] if everything and self.model.liquid[member] else amount
        self.book(redeem, amount, (member, None), member=self.members[member])

    @rule(member=everybody, amount=amounts)
    def burn(self, member: str, amount: Decimal) -> None:
        self.book(burn, amount, (member, None), member=self.members[member], reason="destroyed")

    @rule(giver=givers, holder=everybody, amount=amounts)
    def grant(self, giver: str, holder: str, amount: Decimal) -> None:
        given = {"giver": self.members[giver], "recipient": self.members[holder], "reason": "welcome"}
        if giver == holder:
            self.ask(grant, refusal=SelfTransfer, amount=cloud(amount), **given)
        else:
            self.book(grant, amount, (giver, holder), **given)

    @rule(member=people, amount=amounts, days=st.sampled_from([30, 30, 31, 90, 365]))
    def stake(self, member: str, amount: Decimal, days: int) -> None:
        short = self.model.liquid[member] < amount
        refusal = InsufficientBalance if short else None
        pk = self.ask(stake, refusal=refusal, member=self.members[member], amount=cloud(amount), days=days)
        if pk is not None:
            self.model.liquid[member] -= amount
            self.model.staked[member] += amount

    @precondition(lambda self: self.clock.shift < FURTHEST)
    @rule(days=st.sampled_from([1, 29, 31]))
    def wait(self, days: int) -> None:
        self.clock.forward(days=days)
        back_credits()

    @precondition(lambda self: any(self.model.staked.values()))
    @rule(pick=picks)
    def unstake(self, pick: int) -> None:
        active = list(StakingPosition.objects.active().select_related("member").order_by("id"))
        position = active[pick % len(active)]
        refusal = StillLocked if datetime.now(tz=UTC) < position.unlock_at else None
        if self.ask(unstake, refusal=refusal, position=position) is not None:
            self.model.release(self._name(position.member_id), position.amount)

    # --- undoing and repeating

    @precondition(lambda self: bool(self.model.done))
    @rule(pick=picks, possible_ones=st.sampled_from([True, True, False]))
    def reverse(self, pick: int, possible_ones: bool) -> None:
        ids = [pk for pk, done in self.model.done.items() if not done.is_reversed] if possible_ones else []
        ids = ids or list(CloudTransaction.objects.booked().order_by("id").values_list("pk", flat=True))
        original = CloudTransaction.objects.get(pk=ids[-1 - pick % len(ids)])
        done = self.model.done.get(original.pk)
        possible = done is not None and not done.is_reversed and self.model.undo(done)
        self.ask(reverse, refusal=None if possible else NotReversible, original=original, reason="a mistake")

    @rule(giver=everybody, holder=people, amount=amounts)
    def gift_spent_and_undone(self, giver: str, holder: str, amount: Decimal) -> None:
        """The whole story at once: by chance its three steps rarely meet."""
        if giver == holder or self.model.liquid[giver] < amount:
            return
        if giver in {TECHNE, POOL}:
            self.grant(giver, holder, amount)
        else:
            self.transfer(giver, holder, amount, everything=False)
        self.redeem(holder, amount, everything=True)
        self.reverse(1, possible_ones=True)

    @precondition(lambda self: bool(self.calls))
    @rule(pick=picks)
    def retry(self, pick: int) -> None:
        verb, call, pk = self.calls[pick % len(self.calls)]
        outcome = verb(**call)
        assert outcome.replayed
        assert outcome.transaction.pk == pk

    @precondition(lambda self: any("amount" in call for _, call, _ in self.calls))
    @rule(pick=picks)
    def same_key_other_content(self, pick: int) -> None:
        with_amount = [(verb, call) for verb, call, _ in self.calls if "amount" in call]
        verb, call = with_amount[pick % len(with_amount)]
        other = cloud(Decimal(call["amount"].amount) + Decimal("0.00000001"))
        refused(IdempotencyConflict, partial(verb, **(call | {"amount": other})))

    @precondition(lambda self: any("amount" in call for _, call, _ in self.calls))
    @rule(
        pick=picks,
        bad=st.sampled_from(
            [
                (Money(Decimal(0), CLOUD), AmountNotPositive),
                (Money(Decimal(-1), CLOUD), AmountNotPositive),
                (Money(Decimal("0.000000001"), CLOUD), TooManyDecimals),
                (usd("1"), WrongCurrency),
            ]
        ),
    )
    def bad_amount(self, pick: int, bad: tuple[Money, type[Exception]]) -> None:
        with_amount = [(verb, call) for verb, call, _ in self.calls if "amount" in call]
        verb, call = with_amount[pick % len(with_amount)]
        amount, refusal = bad
        refused(refusal, partial(verb, **(call | {"amount": amount, "idempotency_key": "never used"})))

    # --- the comparison

    @invariant()
    def everything_agrees(self) -> None:
        type(self).steps += 1
        commit_checks()
        assert broken_proofs() == []
        names = {member.pk: name for name, member in self.members.items()}
        rows = CloudBalance.objects.filter(member__in=names).values_list("member_id", "liquid", "staked")
        assert {names[pk]: (liquid, staked) for pk, liquid, staked in rows} == {
            name: (self.model.liquid[name], self.model.staked[name]) for name in EVERYBODY
        }
        outstanding = sum(self.model.liquid.values()) + sum(self.model.staked.values())
        debts = [(self.members[debt.debtor].pk, debt.amount) for debt in self.model.owed]
        rows = Receivable.objects.order_by("id").values_list("member_id", "amount", "settled")
        assert [(pk, amount - settled) for pk, amount, settled in rows] == debts
        assert account("2220") == -10 * outstanding
        assert account("1130") == 10 * self.model.liquid[TECHNE]
        assert account("1310") == 10 * sum(debt.amount for debt in self.model.owed)

    def _name(self, member_id: int) -> str:
        return next(name for name, member in self.members.items() if member.pk == member_id)


@pytest.mark.slow
@pytest.mark.django_db
def test_ledger__agrees_with_a_plain_model_after_every_step(superuser_dsn):
    LedgerMachine.members = {name: make_member(name, is_investor=True) for name in PEOPLE} | {
        TECHNE: system_member(SystemAccount.TECHNE),
        POOL: system_member(SystemAccount.POOL),
    }
    LedgerMachine.clock = Clock(superuser_dsn)
    LedgerMachine.steps = 0
    longer = settings().max_examples if settings().max_examples > 100 else EXAMPLES
    profile = settings(
        max_examples=longer,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        database=None if os.environ.get("CI") else settings().database,
    )

    run_state_machine_as_test(LedgerMachine, settings=profile)

    assert LedgerMachine.steps >= LEAST_STEPS
