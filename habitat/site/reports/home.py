"""What the back office's home page tells, each part only to who may read it on its own pages too."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, F, Min, Q, QuerySet
from django.utils import timezone

from cloud_credits.models import RateCard, Receivable
from cloud_credits.policies.primitives import MEASURES, Primitive
from cloud_credits.policies.rate_card_course import Next, next_of, state_in_words
from cloud_credits.policies.rate_cards import CardState
from cloud_credits.reports import balances, rate_card_votes, usage
from habitat import clock
from habitat.controls.models import Alert, Approval
from habitat.controls.policies.alerts import UNRESOLVED
from habitat.controls.policies.approvals import ApprovalState
from habitat.events.reports.queue import SubscriberQueue, queues
from habitat.members.models import Member
from habitat.members.policies.statuses import MemberKind, MemberStatus
from habitat.money import cloud_to_usd
from habitat.workflows.models import Execution, Job
from habitat.workflows.policies.states import ExecutionState, JobState
from treasury.models import BankMatch, MintSwitch, Payment, Period, ReconciliationException, StripeEvent
from treasury.policies.backing import TERM_TITLES, Band, Term, band_in_words, percent
from treasury.policies.bank import MatchState
from treasury.policies.payments import PaymentState, StripeEventState
from treasury.policies.reconciliation import ExceptionState
from treasury.reports import accounts
from treasury.reports.backing import Reserve, reserve
from treasury.reports.bank import waiting_lines

USAGE_DAYS: Final = 30
SHOWN_AT_MOST: Final = 5
VERIFICATION: Final = "verify_books"
BROKEN: Final = "books_broken"


@dataclass(frozen=True, slots=True)
class Books:
    """USD in 2220 and 1130, and ten times the outstanding CLOUD they must agree with."""

    outstanding: Decimal
    in_2220: Decimal
    in_1130: Decimal

    @property
    def outstanding_usd(self) -> Decimal:
        return cloud_to_usd(self.outstanding)

    @property
    def agrees(self) -> bool:
        return self.in_2220 == self.outstanding_usd

    @property
    def net(self) -> Decimal:
        """Owed to others than the cooperative itself (domain §6)."""
        return self.in_2220 - self.in_1130


@dataclass(frozen=True, slots=True)
class PrimitiveUsage:
    primitive: str
    unit: str
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Waiting:
    """The newest few of what waits for somebody, and how many there are."""

    count: int
    rows: list[Alert] | list[Approval]


@dataclass(frozen=True, slots=True)
class Verification:
    """The last nightly proof of the books; `broken` counts the open alerts of any run since."""

    at: datetime | None
    broken: int


@dataclass(frozen=True, slots=True)
class PeriodProgress:
    name: str
    state: str
    start: date
    end: date
    passed: int
    days: int


@dataclass(frozen=True, slots=True)
class Watched:
    """Something about money that waits for a person: how many, since when, and where to look."""

    title: str
    count: int
    since: datetime | None
    address: str


@dataclass(frozen=True, slots=True)
class Minting:
    """How well credits are backed, what minting does, and the payments that wait for it in 2240."""

    reserve: Reserve
    in_words: str
    ratio: str
    settled_ratio: str
    terms: list[tuple[str, Term]]
    automatic: bool
    manual: bool
    waiting: int
    waiting_since: datetime | None
    unknown: int


@dataclass(frozen=True, slots=True)
class OpenCard:
    """A rate card that is discussed or voted on; `mine` is the reader's vote in words, empty for who has none."""

    card: RateCard
    state: str
    next: Next | None
    votes: int
    electors: int
    mine: str


@dataclass(frozen=True, slots=True)
class OpenVotes:
    now: datetime
    cards: list[OpenCard]


@dataclass(frozen=True, slots=True)
class Home:
    """A part is None where the reader may not see it."""

    minting: Minting | None
    books: Books | None
    members: list[tuple[str, int]] | None
    usage: list[PrimitiveUsage] | None
    alerts: Waiting | None
    approvals: Waiting | None
    queue: list[SubscriberQueue] | None
    verification: Verification | None
    period: PeriodProgress | None
    money: list[Watched] | None
    votes: OpenVotes | None


def home(*, may: Callable[[str], bool], member_id: int | None = None) -> Home:
    """The parts that `may(permission)` opens; `member_id` is the reader's, whose own vote is told."""
    return Home(
        minting=_minting() if may("treasury.view_backingcheck") and may("treasury.view_payment") else None,
        books=_books() if may("cloud_credits.view_cloudbalance") and may("treasury.view_reports") else None,
        members=_members() if may("members.view_member") else None,
        usage=_usage() if may("cloud_credits.view_resourceusage") else None,
        alerts=_alerts() if may("controls.view_alert") else None,
        approvals=_approvals() if may("controls.view_approval") else None,
        queue=queues() if may("events.view_delivery") else None,
        verification=_verification() if may("controls.view_alert") else None,
        period=_period(timezone.now().date()) if may("treasury.view_period") else None,
        money=_money(may) or None,
        votes=_votes(member_id) if may("cloud_credits.view_ratecard") else None,
    )


def _minting() -> Minting:
    found, switch = reserve(), MintSwitch.objects.get(pk=1)
    check = found.check
    waits = Payment.objects.filter(state=PaymentState.RECEIVED.value).aggregate(
        count=Count("pk"), since=Min("received_at"), unknown=Count("pk", filter=Q(member__isnull=True))
    )
    return Minting(
        reserve=found,
        in_words=band_in_words(Band(check.band) if check else Band.UNKNOWN),
        ratio=percent(check.ratio) if check else "not checked yet",
        settled_ratio=percent(check.settled_ratio) if check else "",
        terms=[(TERM_TITLES[term.name], term) for term in found.terms],
        automatic=switch.automatic,
        manual=switch.manual,
        waiting=waits["count"],
        waiting_since=waits["since"],
        unknown=waits["unknown"],
    )


def _books() -> Books:
    booked = accounts.balances(["2220", "1130"])
    return Books(outstanding=balances.outstanding(), in_2220=booked["2220"], in_1130=booked["1130"])


def _members() -> list[tuple[str, int]]:
    """How many people and organisations stand in each status; the system's accounts are not counted."""
    rows = Member.objects.exclude(kind=MemberKind.SYSTEM.value).order_by().values_list("status").annotate(Count("id"))
    found = dict(rows)
    return [(status.value, found.get(status.value, 0)) for status in MemberStatus]


def _usage() -> list[PrimitiveUsage]:
    """Each primitive's quantity and cost in CLOUD over the last thirty days, at whatever rates held."""
    end = timezone.now()
    lines = usage.summary(start=end - timedelta(days=USAGE_DAYS), end=end).lines
    return [
        PrimitiveUsage(
            primitive=MEASURES[primitive].title,
            unit=MEASURES[primitive].unit,
            quantity=sum((line.quantity for line in lines if line.primitive is primitive), Decimal(0)),
            cost=sum((line.cost for line in lines if line.primitive is primitive), Decimal(0)),
        )
        for primitive in Primitive
    ]


def _alerts() -> Waiting:
    rows = list(Alert.objects.filter(state__in=[state.value for state in UNRESOLVED]).order_by("-last_raised_at"))
    return Waiting(count=len(rows), rows=rows[:SHOWN_AT_MOST])


def _approvals() -> Waiting:
    rows = list(Approval.objects.filter(state=ApprovalState.REQUESTED.value).order_by("-id"))
    return Waiting(count=len(rows), rows=rows[:SHOWN_AT_MOST])


def _verification() -> Verification:
    done = Job.objects.filter(name=VERIFICATION, state=JobState.DONE.value)
    last = done.order_by("-finished_at").values_list("finished_at", flat=True).first()
    broken = Alert.objects.filter(code=BROKEN, state__in=[state.value for state in UNRESOLVED]).count()
    return Verification(at=last.astimezone(UTC) if last else None, broken=broken)


def _money(may: Callable[[str], bool]) -> list[Watched]:
    """What the bank, Stripe and the sagas left for a person, each to who may open its list."""
    of_all: tuple[tuple[str, str, QuerySet[Any], str, str], ...] = (
        (
            "Open exceptions",
            "treasury.view_reconciliationexception",
            ReconciliationException.objects.filter(state=ExceptionState.OPEN.value),
            "opened_at",
            "/admin/treasury/reconciliationexception/?state__exact=open",
        ),
        (
            "Bank lines without a match",
            "treasury.view_bankline",
            waiting_lines(),
            "current__posted_at",
            "/admin/treasury/bankline/?match=waiting",
        ),
        (
            "Matches to confirm",
            "treasury.view_bankmatch",
            BankMatch.objects.filter(state__in=[MatchState.SUGGESTED.value, MatchState.QUESTIONED.value]),
            "created_at",
            "/admin/treasury/bankmatch/?state__in=suggested,questioned",
        ),
        (
            "Failed webhooks",
            "treasury.view_stripeevent",
            StripeEvent.objects.filter(state=StripeEventState.FAILED.value),
            "received_at",
            "/admin/treasury/stripeevent/?state__exact=failed",
        ),
        (
            "Debts of members",
            "cloud_credits.view_receivable",
            Receivable.objects.filter(settled__lt=F("amount")),
            "created_at",
            "/admin/cloud_credits/receivable/?standing=owed",
        ),
        (
            "Stuck sagas",
            "workflows.view_execution",
            Execution.objects.filter(state=ExecutionState.STUCK.value),
            "created_at",
            "/admin/workflows/execution/?state__exact=stuck",
        ),
    )
    shown = []
    for title, permission, rows, moment, address in of_all:
        if may(permission):
            found = rows.order_by().aggregate(count=Count("pk"), since=Min(moment))
            shown.append(Watched(title, found["count"], found["since"], address))
    return shown


def _votes(member_id: int | None) -> OpenVotes:
    """The cards that members discuss or stewards vote on now: one normal and one emergency card at most."""
    now = clock.now()
    under_way = RateCard.objects.filter(state__in=[CardState.PROPOSED.value, CardState.VOTING.value])
    cards = []
    for card in under_way.order_by("version"):
        course = rate_card_votes.course_of(card, now=now)
        roll = rate_card_votes.roll_of(card, now=now)
        mine = roll.row_of(member_id) if course.is_open else None
        words = "" if mine is None else f"you voted {mine.choice.value}" if mine.choice else "you have not voted"
        cards.append(
            OpenCard(card, state_in_words(course), next_of(course), roll.tally.votes, roll.tally.electors, words)
        )
    return OpenVotes(now, cards)


def _period(today: date) -> PeriodProgress | None:
    period = Period.objects.filter(start__lte=today, end__gt=today).first()
    if period is None:
        return None
    return PeriodProgress(
        name=period.name,
        state=period.state,
        start=period.start,
        end=period.end,
        passed=(today - period.start).days + 1,
        days=(period.end - period.start).days,
    )
