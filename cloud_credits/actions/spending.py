"""Spend caps and low-balance warnings: set by members themselves, counted with each charge, told once."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal

from django.db import transaction

from cloud_credits import locks
from cloud_credits.events import LowBalance, SpendCapMet, SpendingLimitsSet
from cloud_credits.models import LowBalanceWarning, SpendCap
from cloud_credits.policies.spending import Allowance, month_of, next_month
from cloud_credits.reports.spending import spent_in
from habitat import clock
from habitat.errors import NotAllowed
from habitat.events.actions.outbox import emit
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM, Actor
from habitat.money import Money, plain, require_cloud
from habitat.statements import array_of, rows_of

# Under the balance locks, which come in id order: so caps are only ever waited for by who holds their balance. Moments
# of booking never run backwards within a balance, so no month is charged once the next one was; the comparison keeps
# a month told ahead of that moment, when the cap was set at its turn, from doing harm.
_ALLOWANCES = """
WITH now AS MATERIALIZED (SELECT date_trunc('month', habitat_now() AT TIME ZONE 'UTC')::date AS month)
SELECT member_id, monthly_cap, CASE WHEN c.month >= now.month THEN spent ELSE 0 END, greatest(c.month, now.month)
  FROM cloud_credits_spendcap c, now
 WHERE member_id = ANY(%(member)s::bigint[])
"""
# What is beyond a cap is not written (the database would refuse it, without its numbers) but answered.
_COUNT = """
WITH charged AS (
    SELECT c.member_id, c.monthly_cap, CASE WHEN c.month = %(month)s::date THEN c.spent ELSE 0 END AS before, given.cost
      FROM unnest(%(member)s::bigint[], %(cost)s::numeric[]) AS given(member_id, cost)
      JOIN cloud_credits_spendcap c ON c.member_id = given.member_id AND c.month <= %(month)s::date
), counted AS (
    UPDATE cloud_credits_spendcap c
       SET spent = charged.before + charged.cost, month = %(month)s::date
      FROM charged
     WHERE c.member_id = charged.member_id
       AND (charged.monthly_cap IS NULL OR charged.before + charged.cost <= charged.monthly_cap)
)
SELECT monthly_cap, before, cost FROM charged WHERE before + cost > monthly_cap ORDER BY member_id
"""
# A month that the cap has left behind since is told no more: its numbers are gone.
_TELL_CAP = """
UPDATE cloud_credits_spendcap c
   SET told_for = refused.month
  FROM unnest(%(member)s::bigint[], %(month)s::date[]) AS refused(member_id, month)
 WHERE c.member_id = refused.member_id AND c.month <= refused.month
   AND c.monthly_cap IS NOT NULL AND c.told_for IS DISTINCT FROM refused.month
RETURNING c.member_id, c.monthly_cap, CASE WHEN c.month = refused.month THEN c.spent ELSE 0 END, refused.month
"""
# Locked first and in order, judged by what the balances are then: two notices of one fall cannot both see it.
_WATCHED = """
SELECT member_id FROM cloud_credits_lowbalancewarning
 WHERE member_id = ANY(%s::bigint[]) AND threshold IS NOT NULL
 ORDER BY member_id FOR NO KEY UPDATE
"""
_WATCH = """
UPDATE cloud_credits_lowbalancewarning w
   SET is_below = b.liquid < w.threshold
  FROM cloud_credits_cloudbalance b
 WHERE b.member_id = w.member_id AND w.member_id = ANY(%s::bigint[]) AND w.threshold IS NOT NULL
   AND w.is_below <> (b.liquid < w.threshold)
RETURNING w.member_id, w.threshold, b.liquid, w.is_below
"""


@transaction.atomic
def set_limits(*, member: Member, monthly_cap: Money | None, low_balance: Money | None, acting: Actor) -> SpendCap:
    """The member's own cap a UTC month on metered usage, and the balance below which they are told; None for neither.

    A cap may lie under what is spent already: then nothing more is taken this month. Raises NotAllowed (nobody sets
    somebody else's), NoCloudIdentity, AmountNotPositive, TooManyDecimals. Locks: the balance (house, lock order).
    """
    if not acting.is_member(member.pk):
        raise NotAllowed(permission="to act for yourself")
    cap = require_cloud(monthly_cap, field="monthlyCap") if monthly_cap is not None else None
    threshold = require_cloud(low_balance, field="lowBalance") if low_balance is not None else None
    liquid = locks.balances([member.pk])[member.pk].holding.liquid
    now = clock.now()
    kept = SpendCap.objects.filter(pk=member.pk).first()
    if kept is None:
        month = month_of(now)
        kept = SpendCap.objects.create(
            member=member, monthly_cap=cap, month=month, spent=spent_in(member.pk, month), set_at=now
        )
    else:
        kept.monthly_cap, kept.told_for, kept.set_at = cap, None, now
        kept.save(update_fields=["monthly_cap", "told_for", "set_at"])
    is_below = threshold is not None and liquid < threshold
    LowBalanceWarning.objects.update_or_create(
        member=member, defaults={"threshold": threshold, "is_below": is_below, "set_at": now}
    )
    fact = SpendingLimitsSet(
        member_id=member.pk,
        monthly_cap=plain(cap) if cap is not None else None,
        low_balance=plain(threshold) if threshold is not None else None,
    )
    emit(fact, acting=acting)
    return kept


def allowances(member_ids: Collection[int]) -> dict[int, Allowance]:
    """What members with a cap may still spend this month, or in the one their cap already counts: what is booked after
    the turn of a month stays after it. A charge near midnight may be booked in the next, which `count` judges. Certain
    only under their balance locks."""
    rows = rows_of(_ALLOWANCES, {"member": array_of(member_ids)})
    return {member_id: Allowance(cap=cap, spent=spent, month=month) for member_id, cap, spent, month in rows}


@transaction.atomic(savepoint=False)
def count(costs: Mapping[int, Decimal], *, at: datetime) -> None:
    """Adds what each member was charged to the month of `at`, the moment it was booked. Called under the balance locks.

    Raises SpendCapReached for a charge beyond its cap; the transaction is the caller's to roll back.
    """
    month = month_of(at)
    given = {"month": month, "member": array_of(costs), "cost": array_of(costs.values())}
    for cap, spent, cost in rows_of(_COUNT, given):
        raise Allowance(cap=cap, spent=spent, month=month).refusal(cost)


@transaction.atomic(savepoint=False)
def tell_caps_met(refused: Mapping[int, date]) -> None:
    """Announces a reached cap, once a month for each member: called when charges were refused for it, with the month
    they were judged by."""
    rows = rows_of(_TELL_CAP, {"member": array_of(refused), "month": array_of(refused.values())})
    facts = [
        SpendCapMet(
            member_id=member_id, monthly_cap=plain(cap), spent=plain(spent), ends_on=next_month(month).isoformat()
        )
        for member_id, cap, spent, month in rows
    ]
    if facts:
        emit(*facts, acting=SYSTEM)


@transaction.atomic
def watch_balances(*, member_ids: Collection[int]) -> None:
    """Announces each balance that fell below its member's threshold since it was last looked at, once a fall."""
    watched = [row[0] for row in rows_of(_WATCHED, [array_of(sorted(member_ids))])]
    if not watched:
        return
    facts = [
        LowBalance(member_id=member_id, threshold=plain(threshold), liquid=plain(liquid))
        for member_id, threshold, liquid, is_below in rows_of(_WATCH, [array_of(watched)])
        if is_below
    ]
    if facts:
        emit(*facts, acting=SYSTEM)
