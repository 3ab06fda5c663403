"""Automatic top-ups: switched on and off by their member, begun when due, stopped when a card is declined."""

import hashlib
import logging
from collections.abc import Collection
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

from django.db import transaction

from cloud_credits import locks
from cloud_credits.actions import purchases
from cloud_credits.errors import (
    CardNotSaved,
    MemberNotActive,
    NoCloudIdentity,
    TooManyTopUps,
    TopUpAboveDailyLimit,
    TopUpAmountChanged,
    TopUpCardChanged,
    TopUpDecided,
    TopUpMoneyWentBack,
    TopUpNotDue,
    TopUpNotOn,
)
from cloud_credits.events import TopUpChanged
from cloud_credits.models import CloudBalance, Purchase, TopUp
from cloud_credits.policies.purchases import TOP_UP_KEY, UNPAID, PurchaseKind, PurchaseState, check_amount
from cloud_credits.policies.settings import TOP_UPS_A_DAY
from cloud_credits.policies.topups import NOT_LOW, Judgement, Standing, TopUpState, Verdict, judge
from cloud_credits.reports import terms
from cloud_credits.reports import topups as reports
from cloud_credits.reports.purchases import open_today
from habitat import clock
from habitat.controls.actions.alerts import raise_alert, resolve_cause
from habitat.controls.reports.settings import value as setting
from habitat.errors import NotAllowed
from habitat.events.actions.outbox import emit
from habitat.members.models import Member
from habitat.members.policies.actors import Actor
from habitat.members.policies.statuses import MAY_TRADE
from habitat.money import Money, cents, plain, require_cloud
from habitat.workflows.actions import sagas
from habitat.workflows.models import Execution
from treasury.reports.purchases import limits

logger = logging.getLogger(__name__)

SAGA: Final = purchases.TOP_UP
ALERT: Final = "topup_stopped"
LONGEST: Final = 300


@transaction.atomic
def switch_on(
    *, member: Member, threshold: Money, amount: Money, method_id: str, most_a_day: int, acting: Actor
) -> TopUp:
    """Below `threshold` CLOUD buy `amount` CLOUD with a card the member saved; at once, where it is due already.

    Nobody switches on somebody else's. Again with other figures changes them. Raises NotAllowed, MemberNotActive,
    NoCloudIdentity, TermsNotAccepted, PurchaseTooSmall, WholeCentsOnly, CardNotSaved, TooManyTopUps,
    TopUpAboveDailyLimit.
    """
    _require_own(member, acting)
    held = locks.member(member.pk)
    row = locks.top_up(held.pk) or TopUp(member=held)
    _fill(row, threshold=threshold, amount=amount, method_id=method_id, most_a_day=most_a_day)
    if row._state.adding:
        row.save(force_insert=True)
    if row.state != TopUpState.ON.value:
        row.switch_on()
    row.save()
    resolve_cause(code=ALERT, cause=_cause(held.pk))
    emit(_changed(row), acting=acting)
    begin_if_due(member_id=held.pk, acting=acting)
    return row


def plan(
    *, member: Member, threshold: Money, amount: Money, method_id: str, most_a_day: int, acting: Actor
) -> tuple[TopUp, Judgement]:
    """How it would stand, and whether the card is charged at once; writes nothing. Raises what `switch_on` raises."""
    _require_own(member, acting)
    row = TopUp(member=member)
    _fill(row, threshold=threshold, amount=amount, method_id=method_id, most_a_day=most_a_day)
    return row, judge_now(member, row)


@transaction.atomic
def switch_off(*, member: Member, acting: Actor) -> TopUp:
    """Nothing is charged any more; what was charged already still arrives. Raises NotAllowed, TopUpNotOn."""
    _require_own(member, acting)
    locks.member(member.pk)
    row = locks.top_up(member.pk)
    if row is None or row.state == TopUpState.OFF.value:
        raise TopUpNotOn
    row.switch_off()
    row.because, row.changed_at = "", datetime.now(tz=UTC)
    row.save(update_fields=["state", "because", "changed_at"])
    resolve_cause(code=ALERT, cause=_cause(member.pk))
    emit(_changed(row), acting=acting)
    return row


@transaction.atomic
def begin_if_due(*, member_id: int, acting: Actor) -> Purchase | None:
    """Begins one top-up where the member's balance and every limit say so; None where nothing is to be done now.

    Wishes of one member come one after the other (their row is locked), so that two facts at once begin one.
    """
    held = locks.member(member_id)
    row = locks.top_up(member_id)
    if row is None or row.state != TopUpState.ON.value:
        return None
    judgement = judge_now(held, row)
    if judgement.verdict is Verdict.STOP:
        _stop(row, judgement.why, acting)
    return _begin(held, row, acting) if judgement.verdict is Verdict.BUY else None


@transaction.atomic
def require_wished(*, purchase_id: int, member_id: int, method_id: str) -> None:
    """Still on, with this card and this amount, by a member who may buy, still due, and the purchase is undecided.

    Asked right before the card is charged, each time it is tried, however long after the top-up began: what would not
    begin it now does not charge it either. Raises MemberNotActive, TopUpDecided, TopUpNotOn, TopUpCardChanged,
    TopUpAmountChanged, TopUpMoneyWentBack, TopUpNotDue.
    """
    held = locks.member(member_id)
    row = locks.top_up(member_id)
    purchase = Purchase.objects.get(pk=purchase_id)
    if purchase.state != PurchaseState.CREATED.value:
        raise TopUpDecided(purchase=purchase_id, state=purchase.state)
    if held.status not in MAY_TRADE:
        raise MemberNotActive(holder=held.display_name, status=held.status)
    if row is None or row.state != TopUpState.ON.value:
        raise TopUpNotOn
    if row.method_id != method_id:
        raise TopUpCardChanged
    if row.amount != purchase.amount:
        raise TopUpAmountChanged(wished=plain(row.amount), begun=plain(purchase.amount))
    if reports.went_back(held.pk, since=row.changed_at):
        raise TopUpMoneyWentBack
    judgement = judge_now(held, row, but=purchase_id)
    if judgement.verdict is not Verdict.BUY:
        raise TopUpNotDue(why=judgement.why or NOT_LOW)


@transaction.atomic
def declined(*, purchase_id: int, why: str, acting: Actor) -> None:
    """A charge was declined: nothing more is charged until the member switches it on again. Told and alerted once.

    The saga tells it and Stripe's webhook too, in any order and however late: what the member switched on in between
    with another card stays on.
    """
    member_id = Purchase.objects.values_list("member_id", flat=True).get(pk=purchase_id)
    locks.member(member_id)
    row = locks.top_up(member_id)
    if locks.purchase(purchase_id).state not in UNPAID:
        return
    if row is not None and row.state == TopUpState.ON.value and row.method_id == _asked_card(purchase_id):
        _stop(row, why, acting)
    purchases.fail(purchase_id=purchase_id, problem=why, acting=acting)


def consider(*, member_ids: Collection[int] | None = None, acting: Actor) -> int:
    """Begins what is due among the members, or among all; how many.

    Each in a transaction of its own, or up to a savepoint where one is open: who cannot begin is named in the log,
    holds up none of those after them, and is tried again by the clock.
    """
    return sum(_begun(member_id, acting) for member_id in reports.low(member_ids))


def judge_now(member: Member, row: TopUp, *, but: int | None = None) -> Judgement:
    """Whether the top-up is due at this moment, and why not; as if it had not begun the purchase `but`."""
    today = limits(member.pk)
    begun = reports.begun_since(member.pk, datetime.combine(clock.now().date(), time(), UTC), but=but)
    return judge(
        Standing(
            liquid=CloudBalance.objects.values_list("liquid", flat=True).filter(member=member).first() or Decimal(0),
            threshold=row.threshold,
            amount=row.amount,
            went_back=reports.went_back(member.pk, since=row.changed_at),
            in_flight=reports.in_flight(member.pk, but=but),
            today=begun,
            most_a_day=min(row.most_a_day, int(setting(TOP_UPS_A_DAY))),
            may_trade=member.status in MAY_TRADE,
            terms_accepted=terms.accepted(member.pk, terms.current()),
            backing_allows=today.recurring_allowed,
            load_cap=reports.load_cap(),
            room=max(today.most - open_today(member.pk), Decimal(0)),
        )
    )


def _begun(member_id: int, acting: Actor) -> bool:
    try:
        return begin_if_due(member_id=member_id, acting=acting) is not None
    except Exception:
        logger.exception("The automatic top-up of member %s could not begin", member_id)
        return False


def _fill(row: TopUp, *, threshold: Money, amount: Money, method_id: str, most_a_day: int) -> None:
    """Its figures as its member wishes them now; not saved."""
    row.threshold, row.amount = require_cloud(threshold, field="threshold"), require_cloud(amount)
    dollars = check_amount(row.amount)
    _require_may_buy(row.member)
    card = reports.card_of(row.member_id, method_id)
    if card is None:
        raise CardNotSaved(field="method")
    most = int(setting(TOP_UPS_A_DAY))
    if not 1 <= most_a_day <= most:
        raise TooManyTopUps(most=most, given=most_a_day, field="most_a_day")
    cap = reports.load_cap()
    if dollars > cap:
        raise TopUpAboveDailyLimit(limit=str(cents(cap)), asked=str(cents(dollars)), field="amount")
    row.most_a_day = most_a_day
    row.method_id, row.customer_id, row.card = card.id, card.customer_id, reports.in_words(card)
    row.because, row.changed_at = "", datetime.now(tz=UTC)


def _require_own(member: Member, acting: Actor) -> None:
    if not acting.is_member(member.pk):
        raise NotAllowed(permission="to act for yourself")


def _begin(member: Member, row: TopUp, acting: Actor) -> Purchase:
    number = Purchase.objects.filter(member=member, kind=PurchaseKind.TOP_UP.value).count() + 1
    key = f"{TOP_UP_KEY}{number}"
    purchase = Purchase.objects.create(
        member=member,
        amount=row.amount,
        usd=check_amount(row.amount),
        kind=PurchaseKind.TOP_UP.value,
        key=key,
        digest=hashlib.sha256(key.encode()).hexdigest(),
    )
    given = {
        "purchase_id": purchase.pk,
        "member_id": member.pk,
        "customer_id": row.customer_id,
        "method_id": row.method_id,
        "amount": plain(purchase.amount),
        "usd": plain(purchase.usd),
    }
    sagas.start(saga=SAGA, key=str(purchase.pk), input=given, acting=acting)
    return purchase


def _asked_card(purchase_id: int) -> str:
    """The card that was to pay it; its member may have chosen another since."""
    given: dict[str, str] = Execution.objects.values_list("input", flat=True).get(saga=SAGA, key=str(purchase_id))
    return given["method_id"]


def _stop(row: TopUp, why: str, acting: Actor) -> None:
    row.stop()
    row.because, row.changed_at = why[:LONGEST] or "The card was declined.", datetime.now(tz=UTC)
    row.save(update_fields=["state", "because", "changed_at"])
    emit(_changed(row), acting=acting)
    raise_alert(
        code=ALERT,
        cause=_cause(row.member_id),
        message=f"The automatic top-up of member {row.member_id} stopped: {row.because}",
        details={"member": str(row.member_id)},
        acting=acting,
    )


def _changed(row: TopUp) -> TopUpChanged:
    return TopUpChanged(
        member_id=row.member_id,
        state=row.state,
        because=row.because,
        threshold=plain(row.threshold),
        quantity=plain(row.amount),
        most_a_day=row.most_a_day,
    )


def _require_may_buy(member: Member) -> None:
    if member.status not in MAY_TRADE:
        raise MemberNotActive(holder=member.display_name, status=member.status)
    if not CloudBalance.objects.filter(member=member).exists():
        raise NoCloudIdentity(holder=member.display_name)
    terms.require_accepted(member.pk)


def _cause(member_id: int) -> str:
    return f"topup:{member_id}"
