"""How well credits are backed: computed now or for a moment, the latest check, its history, and what may be minted."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from habitat.controls.reports.settings import value as setting
from habitat.money import cloud_to_usd, plain
from treasury.errors import BackingWouldBreak, MintingSuspended
from treasury.models import Account, BackingCheck, BackingRequest, BankAccount, BankReading, MintSwitch, StripeReading
from treasury.policies.backing import (
    CREDITS_OUTSTANDING,
    MEMBER_MONEY_HELD,
    Backing,
    Band,
    Provider,
    Term,
    TermName,
    above_target,
    breaks,
    term_of,
)
from treasury.policies.bank import BANK_CODES
from treasury.policies.payments import STRIPE_CLEARING
from treasury.policies.settings import READING_SUSPENDS, READING_WARNS, RESERVE_TARGET
from treasury.reports.sums import END, Owed, owed

AnyReading = TypeVar("AnyReading", BankReading, StripeReading)
Refusal = MintingSuspended | BackingWouldBreak

_OWED: Final = (CREDITS_OUTSTANDING, MEMBER_MONEY_HELD)
# What moved an account after one moment and up to another, by when it happened at the bank or at Stripe: what had
# happened before a reading is in the reading, whenever it was booked. Clocks may differ by the few minutes that
# `posted_at` is given, which alone has an index.
_MOVED: Final = """
SELECT coalesce(sum(CASE WHEN l.side = 'D' THEN l.amount ELSE -l.amount END), 0)
  FROM treasury_journalentry e
  JOIN treasury_journalline l ON l.entry_id = e.id
  JOIN treasury_account a ON a.id = l.account_id
 WHERE a.code = %(code)s
   AND e.occurred_at > %(after)s AND e.occurred_at <= %(until)s
   AND e.posted_at > %(after)s::timestamptz - interval '10 minutes'
   AND NOT EXISTS (SELECT FROM treasury_journalline other
                     JOIN treasury_account b ON b.id = other.account_id
                    WHERE other.entry_id = e.id AND b.code = ANY(%(without)s::text[]))
"""
# Between Stripe and the bank: sent, not failed, not arrived. A pay-out whose bank line somebody has yet to confirm
# has arrived when the bank's reading is younger than that line: it must not count twice.
_IN_TRANSIT: Final = """
SELECT coalesce(sum(p.amount), 0)
  FROM treasury_payout p
 WHERE p.state <> 'failed'
   AND p.created_at <= %(as_of)s
   AND (p.matched_at IS NULL OR p.matched_at > %(as_of)s)
   AND NOT EXISTS (
        SELECT FROM treasury_bankmatchtarget t
          JOIN treasury_bankmatch m ON m.id = t.match_id
          JOIN treasury_bankmatchline ml ON ml.match_id = m.id
          JOIN treasury_banklineversion v ON v.id = ml.version_id
         WHERE t.kind = 'payout' AND t.target_id IN (p.id::text, p.payout_id)
           AND ((m.state IN ('confirmed', 'questioned') AND v.posted_at <= %(as_of)s)
             OR (m.state = 'suggested' AND v.posted_at <= %(bank_read_at)s)))
"""
_SENT: Final = """
SELECT coalesce(sum(amount), 0) FROM treasury_payout
 WHERE state <> 'failed' AND created_at > %(after)s AND created_at <= %(until)s
"""
_HISTORY: Final = """
SELECT DISTINCT ON ((as_of AT TIME ZONE 'UTC')::date) id
  FROM treasury_backingcheck
 WHERE as_of >= %(since)s
 ORDER BY (as_of AT TIME ZONE 'UTC')::date, as_of DESC, id DESC
"""


@dataclass(frozen=True, slots=True)
class Computed:
    """A backing with the books it was computed from."""

    backing: Backing
    books: Owed
    books_until: date | None


@dataclass(frozen=True, slots=True)
class Reserve:
    """The latest check with its terms, as pages and the API show it; `check` is None before the first one."""

    check: BackingCheck | None
    terms: tuple[Term, ...]
    is_minting: bool
    above_target: Decimal
    target: Decimal


def computed(*, as_of: datetime | None = None, books_until: date | None = None) -> Computed:
    """What is owed and held at `as_of` (now when None), in USD: each reading ± what happened between it and then.

    `books_until` leaves out entries of that day and later: a daily check is of 00:00 UTC. Rule: domain §6.
    """
    moment = as_of or timezone.now()
    books = owed(dict(Account.objects.filter(code__in=_OWED).values_list("code", "id")), until=books_until or END)
    readings = _bank_readings(moment)
    bank_read_at = max((reading.read_at for reading in readings), default=None)
    stripe = _nearest(StripeReading.objects.all(), moment)
    terms = [*_bank_terms(readings, moment), *_stripe_terms(stripe, moment)]
    terms.append(_in_transit(moment, bank_read_at))
    read_at = {Provider.BANK: min(reading.read_at for reading in readings)} if readings else {}
    if stripe is not None:
        read_at[Provider.STRIPE] = stripe.read_at
    backing = Backing(
        as_of=moment,
        outstanding=books.balances[CREDITS_OUTSTANDING],
        in_flight=books.balances[MEMBER_MONEY_HELD],
        terms=tuple(terms),
        read_at=read_at,
        unread=_unread(readings, stripe),
    )
    return Computed(backing, books, books_until)


def mint_allowed(*, new_cash: bool, amount: Decimal, switch: MintSwitch | None = None) -> Refusal | None:
    """Why `amount` CLOUD may not be minted now; None when they may. `switch` is what a lock returned.

    With new cash only the flags count. Without it, what is owed afterwards must be covered too, by readings that are
    not too old: the caller holds `locks.mint_switch_exclusive`. Rule: domain §6.
    """
    found = switch or MintSwitch.objects.get(pk=1)
    if not found.manual:
        return MintingSuspended(why="minting was stopped by hand.")
    if not found.automatic:
        return MintingSuspended(why="the last check did not find every credit covered.")
    if new_cash:
        return None
    backing = computed().backing
    more = cloud_to_usd(amount)
    old = outdated(backing)
    if old:
        return MintingSuspended(why=f"the balance at {' and '.join(old)} was not read lately.")
    if breaks(required=backing.required, held=backing.held, more=more):
        return BackingWouldBreak(held=plain(backing.held), required=plain(backing.required), more=plain(more))
    return None


def outdated(backing: Backing) -> tuple[Provider, ...]:
    """Whose reading is too old, or missing, for credits to be minted on it."""
    return backing.older_than(timedelta(hours=int(setting(READING_SUSPENDS))))


def aging(backing: Backing) -> tuple[Provider, ...]:
    """Whose reading is old enough, or missing, to warn of."""
    return backing.older_than(timedelta(hours=int(setting(READING_WARNS))))


def latest() -> BackingCheck | None:
    """The check of the latest moment."""
    return BackingCheck.objects.order_by("-as_of", "-id").first()


def latest_band() -> Band:
    """The band of the latest check; unknown before the first."""
    found = BackingCheck.objects.order_by("-as_of", "-id").values_list("band", flat=True).first()
    return Band(found) if found else Band.UNKNOWN


def reserve() -> Reserve:
    """What the public page shows. Three small reads, however large the books."""
    check = latest()
    switch = MintSwitch.objects.get(pk=1)
    target = Decimal(setting(RESERVE_TARGET))
    return Reserve(
        check=check,
        terms=tuple(term_of(term) for term in check.terms) if check else (),
        is_minting=switch.automatic and switch.manual,
        above_target=above_target(required=check.required, held=check.held, target=target) if check else Decimal(0),
        target=target,
    )


def history(*, end: datetime, days: int) -> list[BackingCheck]:
    """The last check of each of the last `days` days that had one, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY, {"since": (end - timedelta(days=days)).astimezone(UTC)})
        ids = [row[0] for row in cursor.fetchall()]
    return list(BackingCheck.objects.filter(pk__in=ids).order_by("as_of", "id"))


def last_request() -> BackingRequest | None:
    """The youngest of what waits for a check."""
    return BackingRequest.objects.order_by("-id").first()


def bank_was_read(*, within: timedelta) -> bool:
    """Whether every backing account was read that lately."""
    readings = _bank_readings(timezone.now())
    return bool(readings) and min(reading.read_at for reading in readings) > timezone.now() - within


def is_stripe_connected() -> bool:
    """Whether there is a Stripe account to ask."""
    return bool(getattr(settings, "STRIPE_SECRET_KEY", ""))


def _bank_readings(moment: datetime) -> list[BankReading]:
    """One reading for each backing account, or none at all while one of them was never read."""
    accounts = list(BankAccount.objects.filter(is_backing=True).order_by("id"))
    rows = BankReading.objects.select_related("account")
    found = [_nearest(rows.filter(account=account), moment) for account in accounts]
    readings = [reading for reading in found if reading is not None]
    return readings if len(readings) == len(accounts) else []


def _nearest(rows: QuerySet[AnyReading], moment: datetime) -> AnyReading | None:
    """The first reading at or after `moment`, else the last one before it: nothing lies between."""
    after = rows.filter(read_at__gte=moment).order_by("read_at", "id").first()
    return after or rows.filter(read_at__lt=moment).order_by("-read_at", "-id").first()


def _unread(readings: list[BankReading], stripe: StripeReading | None) -> tuple[Provider, ...]:
    """Who must be asked and never was. Stripe must once it is connected."""
    unread = [] if readings else [Provider.BANK]
    if stripe is None and is_stripe_connected():
        unread.append(Provider.STRIPE)
    return tuple(unread)


def _bank_terms(readings: list[BankReading], moment: datetime) -> list[Term]:
    """What the bank said, account by account, and what was booked on each account of the chart since.

    Accounts that share an account of the chart are read in one go; should they not be, the younger reading counts.
    """
    terms = [
        Term(TermName.BANK, reading.available, f"Mercury, account {reading.account.ledger_code}", reading.read_at)
        for reading in readings
    ]
    for code in sorted({reading.account.ledger_code for reading in readings}):
        read_at = max(reading.read_at for reading in readings if reading.account.ledger_code == code)
        amount = _between(_MOVED, read_at, moment, {"code": code, "without": []})
        terms.append(Term(TermName.BANK_SINCE, amount, f"Books, account {code}", moment))
    return terms


def _stripe_terms(reading: StripeReading | None, moment: datetime) -> list[Term]:
    """What Stripe said, and what was booked since; what went to the bank leaves when it is sent, not when it arrives.

    The balance of 1115 is no term: only its lines after the reading are.
    """
    if reading is None:
        return []
    booked = _between(_MOVED, reading.read_at, moment, {"code": STRIPE_CLEARING, "without": list(BANK_CODES)})
    sent = _between(_SENT, reading.read_at, moment, {})
    return [
        Term(TermName.STRIPE_AVAILABLE, reading.available, "Stripe", reading.read_at),
        Term(TermName.STRIPE_PENDING, reading.pending, "Stripe", reading.read_at),
        Term(TermName.STRIPE_SINCE, booked - sent, "Books and pay-outs", moment),
    ]


def _in_transit(moment: datetime, bank_read_at: datetime | None) -> Term:
    amount = _one(_IN_TRANSIT, {"as_of": moment, "bank_read_at": bank_read_at or moment})
    return Term(TermName.IN_TRANSIT, amount, "Pay-outs sent, not yet at the bank", moment)


def _between(sql: str, read_at: datetime, moment: datetime, given: dict[str, Any]) -> Decimal:
    """What moved from the reading to the moment; turned round when the reading is the later one."""
    if read_at <= moment:
        return _one(sql, given | {"after": read_at, "until": moment})
    return -_one(sql, given | {"after": moment, "until": read_at})


def _one(sql: str, given: dict[str, Any]) -> Decimal:
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        (amount,) = cursor.fetchone()
    return Decimal(amount)
