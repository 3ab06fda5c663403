"""Governing the rates: drafting a card, putting it before the members, voting, settling the vote (domain §4).

Every verb reads the database's clock, the one its triggers read. The governance lock comes first, then the cards by
number; who votes or speaks holds the card alone, and shares it.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Final

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Max
from psycopg.errors import CheckViolation

from cloud_credits import locks
from cloud_credits.errors import (
    BallotReasonTooLong,
    CardNotInState,
    CardRefused,
    ChoiceUnknown,
    CommentEmpty,
    DraftChanged,
    NotAnElector,
    NotTheProposer,
    VoteClosed,
    VoteStillOpen,
)
from cloud_credits.events import (
    CloudRateCardApproved,
    CloudRateCardCreated,
    RateCardCommented,
    RateCardInForce,
    RateCardLapsed,
    RateCardProposed,
    RateCardRejected,
    RateCardReturned,
    RateCardVoteReminder,
    RateCardVotingOpened,
    RateCardWithdrawn,
)
from cloud_credits.models import (
    RateCard,
    RateCardBallot,
    RateCardComment,
    RateCardElector,
    RateCardOutcome,
    RateCardReminder,
)
from cloud_credits.policies.governance import (
    LONGEST_BALLOT_REASON,
    LONGEST_COMMENT,
    RULES,
    CardTerms,
    Choice,
    Step,
    below_floors,
    day_start,
    lapses_at,
    malformed,
    reminders_due,
)
from cloud_credits.policies.rate_card_papers import canonical, content_hash, content_of, terms_digest
from cloud_credits.policies.rate_cards import ADOPTED, CardState
from cloud_credits.reports import governance, rate_cards
from cloud_credits.reports.governance import Verdict
from cloud_credits.reports.rate_card_changes import base_of
from cloud_credits.reports.rate_card_votes import proposer_of
from habitat.clock import now
from habitat.errors import NotAllowed
from habitat.events.actions.outbox import emit
from habitat.members.actions.history import because, require_reason
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from habitat.members.policies.permissions import require
from habitat.members.policies.statuses import MemberStatus
from habitat.money import plain

PROPOSE: Final = "cloud_credits.propose_ratecard"
VOTE: Final = "cloud_credits.vote_ratecard"

# A vote that is closed and not settled; another card in force than the one that priced.
_CARDS_CHANGED: Final = frozenset({"usage_votes_settled", "usage_in_force"})
_UNDER_WAY = frozenset({CardState.PROPOSED, CardState.VOTING})


# --- drafts


@transaction.atomic
def save_draft(*, card: RateCard | None, terms: CardTerms, acting: Actor, seen: str | None = None) -> RateCard:
    """A new draft, or new terms for one. Only what its columns cannot hold, or a rate below its floor, is refused
    here: the rest is told while it is written and refused at the proposal. `seen` is the digest of the terms that
    were edited. Raises NotAllowed, CardRefused, CardNotInState, DraftChanged."""
    require(acting, PROPOSE)
    found = malformed(terms) or below_floors(terms, RULES)
    if found:
        raise CardRefused(found)
    written = asdict(terms)
    with because(acting=acting):
        if card is None:
            return RateCard.objects.create(**written, created_by=acting.label)
        held = locks.rate_card(card.pk)
        _require_state(held, CardState.DRAFT, why="members were told of it. Amend it to write another draft.")
        _require_seen(held, seen)
        for name, value in written.items():
            setattr(held, name, value)
        held.save(update_fields=list(written))
    return held


@transaction.atomic
def amend(*, card_id: int, acting: Actor) -> RateCard:
    """A new draft with the same content. The card itself is withdrawn when the amendment is proposed: notice and
    discussion start again (domain §4). Raises NotAllowed, CardUnknown, CardNotInState."""
    require(acting, PROPOSE)
    original = locks.rate_card(card_id)
    if original.state == CardState.DRAFT:
        raise _wrong_state(original, "a draft is edited as it is.")
    with because(acting=acting):
        return RateCard.objects.create(**asdict(original.terms), amends=original, created_by=acting.label)


# --- notice and discussion


@transaction.atomic
def propose(*, card_id: int, acting: Actor, seen: str | None = None) -> RateCard:
    """Freezes the draft, gives it the next number, writes down its electorate and tells the members (domain §4).

    A draft that amends a card under way withdraws that card first; only its proposer may. `seen` is the digest of the
    terms that were looked at. Raises NotAllowed, CardUnknown, CardNotInState, DraftChanged, NotTheProposer,
    CardRefused.
    """
    require(acting, PROPOSE)
    locks.governance()
    _bring_up_to_date()
    card = locks.rate_card(card_id)
    _require_state(card, CardState.DRAFT, why="it was proposed already.")
    _require_seen(card, seen)
    if card.amends_id is not None:
        card.amends = locks.rate_card(card.amends_id)
        _give_way(card.amends, acting=acting)
    moment = now()
    found = governance.problems_of(card, step=Step.PROPOSE, moment=moment)
    if found:
        raise CardRefused(found)
    with because(acting=acting):
        _give_notice(card, moment=moment, acting=acting)
    roll = [RateCardElector(card=card, version=card.number, member_id=member_id) for member_id in governance.stewards()]
    RateCardElector.objects.bulk_create(roll)
    emit(_created(card), _proposed(card), acting=acting)
    return card


def _give_notice(card: RateCard, *, moment: datetime, acting: Actor) -> None:
    used = [model.objects.aggregate(top=Max("version"))["top"] or 0 for model in (RateCard, RateCardElector)]
    card.version = max(used) + 1
    card.proposed_at = moment
    card.notice_date = moment.astimezone(UTC).date()
    card.proposed_by = acting.label
    card.rules = RULES.as_json()
    card.content_hash = content_hash(canonical(content_of(card)))
    card.ended_reason = ""
    card.propose()
    card.save(
        update_fields=[
            "version",
            "state",
            "proposed_at",
            "notice_date",
            "proposed_by",
            "rules",
            "content_hash",
            "ended_reason",
        ]
    )


def _give_way(original: RateCard, *, acting: Actor) -> None:
    if original.state in _UNDER_WAY:
        _withdraw(original, reason="Amended: another card takes its place.", acting=acting)


@transaction.atomic
def comment(*, card_id: int, member: Member, text: str, acting: Actor) -> RateCardComment:
    """An active member speaks in the thread of a card that is proposed or voted on. Raises NotAllowed, CardUnknown,
    CardNotInState, CommentEmpty."""
    if not acting.is_member(member.pk) or member.status != MemberStatus.ACTIVE:
        raise NotAllowed(permission="to speak as an active member")
    said = text.replace("\r\n", "\n").strip()
    if not said or len(said) > LONGEST_COMMENT or "\x00" in said:
        raise CommentEmpty(longest=LONGEST_COMMENT, field="text")
    card = locks.rate_card_shared(card_id)
    if card.state not in _UNDER_WAY:
        raise _wrong_state(card, "there is nothing to discuss.")
    spoken = RateCardComment.objects.create(card=card, version=card.number, member=member, text=said)
    emit(
        RateCardCommented(**_named(card), comment_id=spoken.pk, member_id=member.pk),
        acting=acting,
    )
    return spoken


@transaction.atomic
def withdraw(*, card_id: int, reason: str, acting: Actor) -> RateCard:
    """Its proposer takes a card back. While it is voted on that counts as a rejection: equal or higher rates may not
    be proposed for 30 days; once the vote is closed it is too late. Raises NotAllowed, ReasonRequired, CardUnknown,
    NotTheProposer, CardNotInState."""
    require(acting, PROPOSE)
    why = require_reason(reason)
    locks.governance()
    _settle_closed()
    card = locks.rate_card(card_id)
    _withdraw(card, reason=why, acting=acting)
    return card


def _withdraw(card: RateCard, *, reason: str, acting: Actor) -> None:
    if card.state not in _UNDER_WAY:
        raise _wrong_state(card, "only a card that is proposed or voted on can be withdrawn.")
    if card.proposed_by != acting.label:
        raise NotTheProposer(card=card.version, proposer=proposer_of(card))
    moment = now()
    is_defeat = card.state == CardState.VOTING
    if card.closes_at is not None and moment >= card.closes_at:
        # The close came since the closed votes were settled.
        raise _closed(card)
    card.withdrawn_at = moment
    card.ended_reason = reason
    card.withdraw()
    with because(acting=acting, reason=reason):
        card.save(update_fields=["state", "withdrawn_at", "ended_reason"])
    emit(
        RateCardWithdrawn(**_named(card), withdrawn_at=moment.isoformat(), is_defeat=is_defeat, reason=reason),
        acting=acting,
    )


# --- the vote


@transaction.atomic
def open_voting(*, card_id: int, closes_at: datetime, acting: Actor) -> RateCard:
    """Opens the vote now, until `closes_at`, for the stewards who were active at the notice and are now (domain §4).

    Raises NotAllowed, CardUnknown, CardNotInState, CardRefused.
    """
    require(acting, PROPOSE)
    locks.governance()
    _settle_closed()
    card = locks.rate_card(card_id)
    _require_state(card, CardState.PROPOSED, why="a vote opens on a proposed card.")
    moment = now()
    active = set(governance.stewards())
    roll = list(RateCardElector.objects.filter(card=card, version=card.number).order_by("pk"))
    for elector in roll:
        elector.at_opening = elector.member_id in active
    electors = sum(1 for elector in roll if elector.at_opening)
    found = governance.opening_problems_of(card, opens_at=moment, closes_at=closes_at, electors=electors)
    if found:
        raise CardRefused(found)
    RateCardElector.objects.bulk_update(roll, ["at_opening"])
    card.opens_at, card.closes_at = moment, closes_at
    card.open_voting()
    with because(acting=acting):
        card.save(update_fields=["state", "opens_at", "closes_at"])
    transaction.on_commit(rate_cards.forget)
    emit(
        RateCardVotingOpened(
            **_named(card),
            opens_at=moment.isoformat(),
            closes_at=closes_at.astimezone(UTC).isoformat(),
            electors=[elector.member_id for elector in roll if elector.at_opening],
        ),
        acting=acting,
    )
    return card


@transaction.atomic
def cast_ballot(*, card_id: int, choice: str, reason: str = "", acting: Actor) -> RateCardBallot:
    """Yes, no or abstain, changeable until the close: the newest counts. The electorate is frozen: a steward of a
    later day is not in it. Raises ChoiceUnknown, BallotReasonTooLong, CardUnknown, CardNotInState, VoteClosed,
    NotAllowed, NotAnElector."""
    if choice not in set(Choice):
        raise ChoiceUnknown(given=str(choice)[:40], field="choice")
    said = reason.replace("\x00", "").strip()
    if len(said) > LONGEST_BALLOT_REASON:
        raise BallotReasonTooLong(longest=LONGEST_BALLOT_REASON, given=len(said), field="reason")
    card = locks.rate_card_shared(card_id)
    if card.state != CardState.VOTING:
        raise _wrong_state(card, "no vote is open on it.")
    if now() >= _moment(card.closes_at):
        raise _closed(card)
    elector = _elector(card, acting)
    try:
        with transaction.atomic():
            return RateCardBallot.objects.create(card=card, elector=elector, choice=Choice(choice).value, reason=said)
    except IntegrityError:
        # The close came between the check above and the database's own.
        if now() < _moment(card.closes_at):
            raise
        raise _closed(card) from None


def _elector(card: RateCard, acting: Actor) -> RateCardElector:
    """The actor's place in the electorate; only active members vote (domain §2)."""
    if acting.kind is not ActorKind.MEMBER:
        raise NotAllowed(permission=VOTE)
    elector = RateCardElector.objects.filter(
        card=card,
        version=card.number,
        member_id=acting.id,
        at_opening=True,
        member__status=MemberStatus.ACTIVE.value,
    ).first()
    if elector is None:
        require(acting, VOTE)
        raise NotAnElector(card=card.version)
    return elector


# --- the outcome


@transaction.atomic
def settle(*, card_id: int) -> RateCardOutcome:
    """Writes down what a closed vote came to; settled again it answers the same. Votes that closed earlier are
    settled first. Raises CardUnknown, VoteStillOpen, CardNotInState."""
    locks.governance()
    _settle_closed()
    card = locks.rate_card(card_id)
    outcome = card.outcome
    if outcome is None and card.state == CardState.VOTING:
        raise VoteStillOpen(card=card.version, closes_at=_shown(card.closes_at))
    if outcome is None:
        raise _wrong_state(card, "there was no vote to settle.")
    return outcome


@transaction.atomic
def settle_due() -> int:
    """Settles every vote past its close, in the order they closed; how many."""
    if not governance.closed_unsettled(moment=now()):
        return 0
    locks.governance()
    return _settle_closed()


def settle_before_pricing() -> None:
    """What pricing calls first: no query at all while no vote is closed (domain §4, outcome).

    A transaction of its own before the one that charges: its locks are never taken after a period or a balance.
    """
    if rate_cards.vote_waits():
        settle_due()
        rate_cards.forget()


def cards_changed(error: DatabaseError) -> bool:
    """True where the database refused usage because the cards changed between reading its price and charging it:
    read anew, it may be tried again."""
    cause = error.__cause__
    return isinstance(cause, CheckViolation) and cause.diag.constraint_name in _CARDS_CHANGED


def _settle_closed() -> int:
    settled = 0
    # Read anew after each: one emergency adopted sends the next card back to draft.
    while waiting := governance.closed_unsettled(moment=now()):
        _settle(locks.rate_card(waiting[0].pk))
        settled += 1
    return settled


def _settle(card: RateCard) -> None:
    """`approved_at` is the close, whenever this runs."""
    verdict = governance.verdict(card)
    _write_outcome(card, verdict)
    with because(acting=SYSTEM):
        if verdict.passed:
            sent_back = _send_back(card) if card.is_emergency else []
            card.approved_at = card.closes_at
            card.approve()
            card.save(update_fields=["state", "approved_at"])
            emit(_approved(card, verdict), *sent_back, acting=SYSTEM)
        else:
            card.reject()
            card.save(update_fields=["state"])
            emit(_rejected(card, verdict), acting=SYSTEM)
    rate_cards.forget()
    transaction.on_commit(rate_cards.forget)


def _write_outcome(card: RateCard, verdict: Verdict) -> None:
    vote, count = verdict.standing, verdict.standing.tally
    RateCardOutcome.objects.create(
        card=card,
        version=card.number,
        closed_at=_moment(card.closes_at),
        is_emergency=card.is_emergency,
        electorate=[{"member": each.member_id, "name": each.name} for each in vote.electors],
        ballots=vote.ballots,
        yes=count.yes,
        no=count.no,
        abstain=count.abstain,
        electors=count.electors,
        quorum_met=count.quorum_met,
        bar=count.bar,
        passed=verdict.passed,
        reason=verdict.reason,
    )


def _send_back(emergency: RateCard) -> Sequence[RateCardReturned]:
    """An adopted emergency sends a normal card in flight back to draft (domain §4)."""
    told = []
    for found in governance.in_flight_at(moment=_moment(emergency.closes_at), excluding=emergency.pk):
        card = locks.rate_card(found.pk)
        version = card.number
        reason = f"Emergency card {emergency.version} was adopted: rate card {version} is a draft again."
        card.return_to_draft()
        card.version = card.notice_date = card.proposed_at = card.proposed_xid = None
        card.opens_at = card.closes_at = card.approved_at = None
        card.proposed_by = card.content_hash = ""
        card.rules = {}
        card.ended_reason = reason
        card.save(
            update_fields=[
                "state",
                "version",
                "notice_date",
                "proposed_at",
                "proposed_by",
                "proposed_xid",
                "opens_at",
                "closes_at",
                "approved_at",
                "content_hash",
                "rules",
                "ended_reason",
            ]
        )
        told.append(
            RateCardReturned(card_id=card.pk, version=version, emergency_version=emergency.number, reason=reason)
        )
    return told


# --- what the clock does


@transaction.atomic
def lapse_due() -> int:
    """Cards on which no vote was opened within 60 days lapse; how many. One that an emergency sent back is a draft."""
    locks.governance()
    _settle_closed()
    return _lapse_overdue()


def _lapse_overdue() -> int:
    moment, lapsed = now(), 0
    for found in RateCard.objects.filter(state=CardState.PROPOSED.value).order_by("pk"):
        if moment < lapses_at(_moment(found.proposed_at), found.as_told):
            continue
        card = locks.rate_card(found.pk)
        card.ended_reason = f"No vote was opened within {card.as_told.lapse_days} days."
        card.lapse()
        with because(acting=SYSTEM):
            card.save(update_fields=["state", "ended_reason"])
        emit(RateCardLapsed(**_named(card), proposed_at=_moment(card.proposed_at).isoformat()), acting=SYSTEM)
        lapsed += 1
    return lapsed


def _bring_up_to_date() -> None:
    """Whatever a late worker left: a closed vote and an overdue card no longer stand in the way."""
    _settle_closed()
    _lapse_overdue()


@transaction.atomic
def follow_dates() -> int:
    """States say for people what the dates say already: active from its day, superseded from the next one's. How many
    cards took effect. Prices never wait for this."""
    locks.governance()
    _settle_closed()
    moment, begun = now(), []
    for found in RateCard.objects.adopted().order_by("effective_date"):
        if day_start(_day(found)) <= moment:
            begun.append(locks.rate_card(found.pk))
    taken = 0
    with because(acting=SYSTEM):
        for place, card in enumerate(begun):
            taken += _follow(card, begun, place)
    return taken


def _follow(card: RateCard, begun: Sequence[RateCard], place: int) -> int:
    taken = 0
    if card.state == CardState.APPROVED:
        card.take_effect()
        card.save(update_fields=["state"])
        previous = begun[place - 1].version if place else None
        emit(
            RateCardInForce(
                **_named(card), effective_date=str(card.effective_date), rates=_rates(card), previous_version=previous
            ),
            acting=SYSTEM,
        )
        taken = 1
    if card.state == CardState.ACTIVE and place + 1 < len(begun):
        card.give_way()
        card.save(update_fields=["state"])
    return taken


@transaction.atomic
def remind_due() -> int:
    """Reminders to electors 48, 24 and 4 hours before a close, once each; how many were announced. Of several that a
    late worker left, only the latest is sent."""
    locks.governance()
    _settle_closed()
    moment, sent = now(), 0
    for found in RateCard.objects.filter(state=CardState.VOTING.value, closes_at__gt=moment).order_by("pk"):
        card = locks.rate_card(found.pk)
        opens_at, closes_at = _moment(card.opens_at), _moment(card.closes_at)
        due = reminders_due(moment=moment, opens_at=opens_at, closes_at=closes_at)
        marked = set(RateCardReminder.objects.filter(version=card.number).values_list("hours", flat=True))
        fresh = [hours for hours in due if hours not in marked]
        RateCardReminder.objects.bulk_create(
            [RateCardReminder(card=card, version=card.number, hours=hours) for hours in fresh]
        )
        if fresh and fresh[-1] == due[-1]:
            emit(RateCardVoteReminder(**_named(card), hours=fresh[-1], closes_at=closes_at.isoformat()), acting=SYSTEM)
            sent += 1
    return sent


# --- the facts


def _named(card: RateCard) -> dict[str, int]:
    return {"card_id": card.pk, "version": card.number}


def _rates(card: RateCard) -> dict[str, str]:
    return {primitive.value: plain(rate) for primitive, rate in card.terms.rates.items()}


def _created(card: RateCard) -> CloudRateCardCreated:
    return CloudRateCardCreated(
        **_named(card),
        effective_date=str(card.effective_date),
        notice_date=str(card.notice_date),
        is_emergency=card.is_emergency,
        rates=_rates(card),
        content_hash=card.content_hash,
        created_by=card.created_by,
    )


def _proposed(card: RateCard) -> RateCardProposed:
    base = base_of(card)
    return RateCardProposed(
        **_named(card),
        effective_date=str(card.effective_date),
        is_emergency=card.is_emergency,
        proposed_at=_moment(card.proposed_at).isoformat(),
        proposed_by=card.proposed_by,
        rates=_rates(card),
        rates_in_force=_rates(base) if base is not None else {},
        justification=card.justification,
    )


def _approved(card: RateCard, verdict: Verdict) -> CloudRateCardApproved:
    count = verdict.standing.tally
    return CloudRateCardApproved(
        **_named(card),
        effective_date=str(card.effective_date),
        approved_at=_moment(card.approved_at).isoformat(),
        is_emergency=card.is_emergency,
        rates=_rates(card),
        yes=count.yes,
        no=count.no,
        abstain=count.abstain,
        electors=count.electors,
    )


def _rejected(card: RateCard, verdict: Verdict) -> RateCardRejected:
    count = verdict.standing.tally
    return RateCardRejected(
        **_named(card),
        closed_at=_moment(card.closes_at).isoformat(),
        yes=count.yes,
        no=count.no,
        abstain=count.abstain,
        electors=count.electors,
        reason=verdict.reason,
    )


# --- refusals


def _require_state(card: RateCard, state: CardState, *, why: str) -> None:
    if card.state != state:
        raise _wrong_state(card, why)


def _require_seen(card: RateCard, seen: str | None) -> None:
    """Nobody puts words before the members, or over somebody's, that they did not read."""
    if seen is not None and seen != terms_digest(card.terms):
        raise DraftChanged(card=card.pk)


def _wrong_state(card: RateCard, why: str) -> CardNotInState:
    state = "in force" if card.state in ADOPTED and card.state != CardState.APPROVED else card.state
    return CardNotInState(card=card.version or f"draft {card.pk}", state=state, why=why)


def _closed(card: RateCard) -> VoteClosed:
    return VoteClosed(card=card.version, closes_at=_shown(card.closes_at))


def _shown(moment: datetime | None) -> str:
    return f"{_moment(moment).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _moment(moment: datetime | None) -> datetime:
    """A moment that the card's state says is there."""
    if moment is None:
        raise ValueError("this card has no such moment")
    return moment


def _day(card: RateCard) -> date:
    if card.effective_date is None:
        raise ValueError("this card has no effective date")
    return card.effective_date
