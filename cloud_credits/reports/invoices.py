"""Invoices as members and programs read them: lists by filter, one in full, and what paying it would do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from django.db.models import Q, QuerySet

from cloud_credits.errors import InvoiceNotPayable, NoCloudIdentity
from cloud_credits.models import CloudBalance, Invoice
from cloud_credits.policies.invoices import PAYABLE, InvoiceState, Paying, to_buy
from cloud_credits.policies.movements import Holding, Movement, Purpose, TransactionType, check_statuses, settle
from habitat.members.models import Member
from habitat.members.policies.statuses import MAY_TRADE, SystemAccount
from habitat.money import cloud_to_usd

PAGE_SIZE: Final = 25
# What a reader calls open: sent or overdue, not paid yet.
OPEN: Final = "open"


@dataclass(frozen=True, slots=True)
class InvoiceFilter:
    """What a person asked to see: a state (or `open`), and due days, both included."""

    state: str = ""
    first_due: date | None = None
    last_due: date | None = None

    @property
    def is_empty(self) -> bool:
        return self == InvoiceFilter()

    def condition(self) -> Q:
        condition = Q()
        if self.state == OPEN:
            condition &= Q(state__in=[state.value for state in PAYABLE])
        elif self.state:
            condition &= Q(state=self.state)
        if self.first_due:
            condition &= Q(due_on__gte=self.first_due)
        if self.last_due:
            condition &= Q(due_on__lte=self.last_due)
        return condition


@dataclass(frozen=True, slots=True)
class Slice:
    """One page, newest first: `older` is the number to go on before, None at the end."""

    rows: Sequence[Invoice]
    older: int | None


@dataclass(frozen=True, slots=True)
class PaymentPreview:
    """What paying would do: CLOUD before and after, `usd` exact. `bought` is what a card would pay for first."""

    invoice: Invoice
    paying: Paying
    usd: Decimal
    bought: Decimal
    bought_usd: Decimal
    liquid_before: Decimal
    liquid_after: Decimal


def of_member(member_id: int, chosen: InvoiceFilter) -> QuerySet[Invoice]:
    """A member's invoices, newest first; drafts are nobody's yet."""
    own = Invoice.objects.filter(chosen.condition(), member_id=member_id)
    return own.exclude(sent_at=None).order_by("-number")


def page(member_id: int, chosen: InvoiceFilter, *, before: int | None = None) -> Slice:
    """The newest ones with a number below `before`."""
    found = of_member(member_id, chosen)
    if before is not None:
        found = found.filter(number__lt=before)
    rows = list(found[: PAGE_SIZE + 1])
    more = len(rows) > PAGE_SIZE
    return Slice(rows[:PAGE_SIZE], older=rows[PAGE_SIZE - 1].number if more else None)


def liquid_of(member_id: int) -> Decimal:
    """CLOUD the member could pay with now; nothing without a balance."""
    found = CloudBalance.objects.filter(member_id=member_id).values_list("liquid", flat=True).first()
    return found if found is not None else Decimal(0)


def missing(invoice: Invoice) -> Decimal:
    """CLOUD the balance lacks for this invoice, up to a whole cent; zero when it covers it."""
    return to_buy(total=invoice.total, liquid=liquid_of(invoice.member_id), paying=Paying.MISSING)


def preview(*, invoice: Invoice, paying: Paying) -> PaymentPreview:
    """Raises what paying would raise at this moment; nothing is written, and a later change may still refuse it."""
    now = Invoice.objects.select_related("member").get(pk=invoice.pk)
    if now.state not in PAYABLE:
        raise InvoiceNotPayable(invoice=now, state=now.state)
    techne = Member.objects.system(SystemAccount.TECHNE)
    held = {row.member_id: row for row in CloudBalance.objects.filter(member_id__in=[now.member_id, techne.pk])}
    if now.member_id not in held:
        raise NoCloudIdentity(holder=now.member.display_name)
    before = held[now.member_id].liquid
    bought = Decimal(0) if paying is Paying.BALANCE else to_buy(total=now.total, liquid=before, paying=paying)
    movement = Movement(
        type=TransactionType.TRANSFER,
        amount=now.total,
        purpose=Purpose.INVOICE,
        from_member=now.member_id,
        to_member=techne.pk,
        from_statuses=MAY_TRADE,
    )
    check_statuses([movement], {each.pk: (each.status, each.display_name) for each in (now.member, techne)})
    holdings = {
        each.pk: Holding(held[each.pk].liquid, held[each.pk].staked, held[each.pk].version, each.display_name)
        for each in (now.member, techne)
    }
    holdings[now.member_id] = holdings[now.member_id].moved(liquid=bought, staked=Decimal(0))
    [settled] = settle([movement], holdings)
    after = settled.from_after.liquid if settled.from_after else before
    return PaymentPreview(
        invoice=now,
        paying=paying,
        usd=cloud_to_usd(now.total),
        bought=bought,
        bought_usd=cloud_to_usd(bought),
        liquid_before=before,
        liquid_after=after,
    )


def state_in_words(invoice: Invoice) -> str:
    """The state as people read it: a payment that waits for its credits is said."""
    if invoice.state in PAYABLE and invoice.payment_received_at is not None:
        return "payment received"
    return InvoiceState(invoice.state).value
