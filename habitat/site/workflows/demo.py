"""Builds the sample cooperative by the same verbs people use; what is already there is left as it is."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Final

from django.utils import timezone

from cloud_credits.actions import chain, grants, identities, metering, mints, staking, transfers
from cloud_credits.models import ResourceUsage
from cloud_credits.policies.metering import MeteringEvent, is_late
from cloud_credits.policies.movements import TransactionState
from cloud_credits.policies.settings import CHARGE_PAGES, WINDOW_SECONDS
from cloud_credits.reports.rate_cards import adopted_cards
from habitat.controls.actions import approvals, service_keys, settings
from habitat.controls.models import Approval, ServiceKey, Setting
from habitat.controls.policies.approvals import ApprovalState
from habitat.controls.policies.scopes import Scope
from habitat.events.workflows import queue
from habitat.members.actions import members
from habitat.members.actions.roles import held_roles
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.members.policies.statuses import MemberStatus, SystemAccount
from habitat.members.reports.actors import actor_of
from habitat.money import cloud
from habitat.site.gateways import sandboxes
from habitat.site.policies import demo
from habitat.site.policies.demo import AGREES, ASKS, PASSWORD, PEOPLE, REASON, Person, Reading
from habitat.site.workflows import self_metering
from habitat.site.workflows.demo_governance import DemoGovernance
from habitat.site.workflows.demo_money import DemoMoney
from treasury.actions import bank, journal
from treasury.gateways import mercury
from treasury.policies.bank_rows import AccountRow
from treasury.policies.journal import Line, Source
from treasury.workflows import backing

# A newcomer sees usage appear while clicking (issue 2): pages are charged too, in windows of a minute.
SETTINGS: Final[tuple[tuple[str, object], ...]] = ((CHARGE_PAGES, True), (WINDOW_SECONDS, 60))


class Demo:
    """One run. Each step asks what is there already, so that a second run, or one after an interruption, is safe."""

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """(title, step) in order."""
        return [
            ("Settings and keys", self.prepare),
            ("Twelve members and their roles", self.register),
            ("Cloud identities", self.identify),
            ("Capital in the bank", self.fund),
            ("Credits, minted by two people", self.mint),
            ("Transfers, grants and stakes", self.move),
            ("Three months of usage", self.use),
            *self.money.steps(),
            *DemoGovernance(lambda: self.people).steps(),
            ("Notices and the sealed chain", self.settle),
        ]

    @cached_property
    def money(self) -> DemoMoney:
        return DemoMoney(lambda: self.people, lambda: self.operator)

    def prepare(self) -> None:
        for key, value in SETTINGS:
            # What somebody has chosen since stays chosen.
            if not Setting.objects.filter(key=key).exists():
                settings.change(key=key, value=value, reason=REASON, acting=SYSTEM)
        self_metering.ensure_key(acting=SYSTEM)
        if not ServiceKey.objects.filter(name=demo.KEY_NAME).exists():
            service_keys.create(name=demo.KEY_NAME, scopes=[Scope.METERING_WRITE], acting=SYSTEM)

    def register(self) -> None:
        for person in PEOPLE:
            member = _found(person) or members.register(
                kind=person.kind,
                display_name=person.name,
                email=person.email,
                password=PASSWORD if person.has_password else None,
                is_investor=person.is_investor,
                acting=SYSTEM,
            )
            if member.status == MemberStatus.PENDING:
                member = members.admit(member=member, reason=REASON, acting=SYSTEM)
            if person.role is not None and member.user is not None and person.role not in held_roles(member.user):
                members.grant_role(member=member, role=person.role, reason=REASON, acting=SYSTEM)

    def identify(self) -> None:
        named = [(account.value, self.system(account)) for account in SystemAccount]
        named += [(person.subname, self.people[person.subname]) for person in PEOPLE]
        for subname, member in named:
            if member.ens_subname is None:
                identities.initialize(
                    member=member, subname=subname, address=demo.address_of(subname), acting=self.operator
                )

    def fund(self) -> None:
        """Dollars first: credits without them are refused. A bank that answers is asked; else its first balance is
        what the books say."""
        booked = journal.post(
            lines=[Line.debit("1110", demo.OPENING_CASH), Line.credit("3320", demo.OPENING_CASH)],
            occurred_at=datetime.combine(demo.OPENED_ON, time(), UTC),
            source=Source("opening", "demo"),
            description=demo.OPENING,
            idempotency_key="demo-opening",
            acting=SYSTEM,
        )
        if booked.replayed:
            return
        if sandboxes.bank_is_sandbox():
            sandboxes.open_account(demo.OPENING_CASH)
        if not mercury.is_configured():
            row = AccountRow(
                account_id="demo-checking",
                name="Demo checking",
                kind="checking",
                available=demo.OPENING_CASH,
                current=demo.OPENING_CASH,
                opened_at=datetime.combine(demo.OPENED_ON, time(), UTC),
            )
            bank.record_accounts(rows=[row], read_at=timezone.now(), acting=SYSTEM)
        backing.check_now(trigger="demo", acting=SYSTEM)

    def mint(self) -> None:
        for person in PEOPLE:
            self._mint(self.people[person.subname], person.subname, person.minted)
        for account, amount in demo.SYSTEM_MINTS:
            self._mint(self.system(account), account.value, amount)

    def move(self) -> None:
        for number, gift in enumerate(demo.GRANTS):
            grants.grant(
                giver=self.anyone(gift.giver),
                recipient=self.anyone(gift.recipient),
                amount=cloud(gift.amount),
                reason=gift.memo,
                idempotency_key=f"demo-grant-{number}",
                acting=self.operator,
            )
        for number, gift in enumerate(demo.TRANSFERS):
            transfers.transfer(
                sender=self.people[gift.giver],
                recipient=self.people[gift.recipient],
                amount=cloud(gift.amount),
                memo=gift.memo,
                idempotency_key=f"demo-transfer-{number}",
                acting=_actor(self.people[gift.giver]),
            )
        for lock in demo.LOCKS:
            staking.stake(
                member=self.people[lock.member],
                amount=cloud(lock.amount),
                days=lock.days,
                idempotency_key="demo-stake",
                acting=_actor(self.people[lock.member]),
            )

    def use(self) -> None:
        """Readings come in as from a service; what is older than 35 days is asked for and agreed to by two people.

        Days before the first rate card was in force have no price: they are left out.
        """
        first = min(card.effective_date for card in adopted_cards())
        known = set(ResourceUsage.objects.filter(service_key_id=self.key.pk).values_list("event_id", flat=True))
        for reading in demo.readings(anchor=self.anchor):
            if reading.event_id not in known and reading.ended_at.date() >= first:
                self._meter(reading)

    def settle(self) -> None:
        """What the worker would do next: deliveries to their handlers, the check they ask for, the ledger's seal."""
        queue.drain(queue.DELIVERIES)
        queue.drain(backing.QUEUE)
        chain.seal()

    @cached_property
    def people(self) -> dict[str, Member]:
        return {person.subname: member for person in PEOPLE if (member := _found(person)) is not None}

    @cached_property
    def operator(self) -> Actor:
        return _actor(self.people[ASKS])

    @cached_property
    def second(self) -> Actor:
        return _actor(self.people[AGREES])

    @cached_property
    def key(self) -> ServiceKey:
        return ServiceKey.objects.filter(name=demo.KEY_NAME).earliest("id")

    @property
    def anchor(self) -> date:
        """The day of the first run: readings are dated back from it, so that every later run means the same ones."""
        return self.key.created_at.date()

    def system(self, account: SystemAccount) -> Member:
        return Member.objects.get(system_code=account.value)

    def anyone(self, name: str) -> Member:
        return self.people[name] if name in self.people else self.system(SystemAccount(name))

    def _mint(self, member: Member, name: str, amount: Decimal) -> None:
        outcome = mints.request_manual_mint(
            member=member,
            amount=cloud(amount),
            reason="Opening credits of the sample cooperative",
            idempotency_key=f"demo-mint-{name}",
            acting=self.operator,
        )
        if outcome.transaction.state == TransactionState.PENDING:
            waiting = Approval.objects.get(
                kind=mints.MANUAL_MINT,
                state=ApprovalState.REQUESTED.value,
                payload__transaction=str(outcome.transaction.pk),
            )
            approvals.grant(approval=waiting, reason=REASON, acting=self.second)

    def _meter(self, reading: Reading) -> None:
        event = MeteringEvent(
            event_id=reading.event_id,
            member_id=self.people[reading.subname].pk,
            primitive=reading.primitive,
            quantity=reading.quantity,
            service_name=demo.SERVICE_NAMES[reading.primitive],
            ended_at=reading.ended_at,
        )
        if is_late(event, now=timezone.now()):
            asked = metering.request_late_usage(
                event=event, key_id=self.key.pk, reason="The meter was read late", acting=self.operator
            )
            approvals.grant(approval=asked, reason="The reading fits the meter", acting=self.second)
            return
        metering.record(event=event, key_id=self.key.pk, acting=SYSTEM)


def _found(person: Person) -> Member | None:
    return Member.objects.select_related("user").filter(user__email=person.email).first()


def _actor(member: Member) -> Actor:
    if member.user is None:
        message = f"{member.display_name} has no sign-in"
        raise LookupError(message)
    return actor_of(member.user)
