"""The sample cooperative's rate cards: one up for a vote, one in discussion, each with a thread."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from cloud_credits.actions import rate_cards
from cloud_credits.models import RateCard, RateCardBallot, RateCardComment
from cloud_credits.policies.governance import CardTerms
from cloud_credits.policies.primitives import Primitive
from cloud_credits.policies.rate_cards import CardState
from cloud_credits.reports.rate_cards import card_in_force
from habitat import clock
from habitat.members.models import Member
from habitat.members.policies.actors import Actor, ActorKind
from habitat.members.reports.actors import actor_of
from habitat.site.policies import demo
from habitat.site.policies.demo import Proposal


class DemoGovernance:
    """Each step asks what is there already. Where people have cards of their own under way, those stay alone."""

    def __init__(self, people: Callable[[], Mapping[str, Member]]) -> None:
        self._people = people

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """(title, step) in order, for after the members are there."""
        return [("Rate cards: a vote and a discussion", self.govern)]

    def govern(self) -> None:
        for proposal in demo.PROPOSALS:
            card = RateCard.objects.filter(justification=proposal.justification).first()
            if card is None and self._is_taken(proposal):
                continue
            card = self._proposed(proposal, card)
            if card.state == CardState.PROPOSED and proposal.closes_in is not None:
                closes_at = (clock.now() + timedelta(days=proposal.closes_in)).replace(
                    minute=0, second=0, microsecond=0
                )
                card = rate_cards.open_voting(card_id=card.pk, closes_at=closes_at, acting=self._as(proposal.proposer))
            if card.state in {CardState.PROPOSED, CardState.VOTING}:
                self._discuss(proposal, card)

    def _is_taken(self, proposal: Proposal) -> bool:
        """Only one card of a kind is under way at a time."""
        cards = RateCard.objects.exclude(version=1).exclude(
            justification__in=[each.justification for each in demo.PROPOSALS]
        )
        return cards.filter(is_emergency=bool(proposal.evidence)).exists()

    def _proposed(self, proposal: Proposal, card: RateCard | None) -> RateCard:
        acting = self._as(proposal.proposer)
        if card is None:
            card = rate_cards.save_draft(card=None, terms=_terms(proposal), acting=acting)
        if card.state == CardState.DRAFT and not card.ended_reason:
            card = rate_cards.propose(card_id=card.pk, acting=acting)
        return card

    def _discuss(self, proposal: Proposal, card: RateCard) -> None:
        for name, text in proposal.comments:
            member = self._people()[name]
            if not RateCardComment.objects.filter(card=card, member=member, text=text).exists():
                rate_cards.comment(card_id=card.pk, member=member, text=text, acting=self._as(name))
        for name, choice, reason in proposal.ballots:
            mine = RateCardBallot.objects.filter(card=card, elector__member=self._people()[name])
            if card.state == CardState.VOTING and not mine.exists():
                rate_cards.cast_ballot(card_id=card.pk, choice=choice.value, reason=reason, acting=self._as(name))

    def _as(self, name: str) -> Actor:
        member = self._people()[name]
        if member.user is None:
            return Actor(kind=ActorKind.MEMBER, id=member.pk, name=member.display_name)
        return actor_of(member.user)


def _terms(proposal: Proposal) -> CardTerms:
    now = clock.now()
    standing = card_in_force(now)
    numbers = {
        f"{primitive.value}_{kind}": given.get(primitive, getattr(standing, f"{primitive.value}_{kind}"))
        for kind, given in (("rate", proposal.rates), ("cost", proposal.costs))
        for primitive in Primitive
    }
    return CardTerms(
        **numbers,
        effective_date=(now + timedelta(days=proposal.days)).date(),
        is_emergency=bool(proposal.evidence),
        target_margin=proposal.target_margin,
        reserve_buffer=standing.reserve_buffer,
        capacity_assumptions=proposal.capacity,
        justification=proposal.justification,
        evidence=proposal.evidence,
    )
