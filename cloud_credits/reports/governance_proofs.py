"""What must always be true of votes on rate cards, checked from scratch over every row."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from django.db import transaction

from cloud_credits.models import RateCard, RateCardOutcome
from cloud_credits.policies.rate_card_papers import canonical, content_hash, content_of
from cloud_credits.policies.rate_cards import ADOPTED, CardState
from cloud_credits.reports.governance import Standing, verdicts_of
from habitat.controls.policies.proofs import Proof, ProofResult

# The card the cooperative opened with was adopted before there was anybody to vote.
OPENING_VERSION: Final = 1


def _result(counted: int, faults: Iterable[str], *, right: str) -> ProofResult:
    found = list(faults)
    return ProofResult(ok=not found, counted=counted, message="; ".join(found[:5]) if found else right)


@transaction.atomic
def outcomes_are_counted() -> ProofResult:
    """Every outcome is its ballots counted again, by the electorate that was frozen, and judged by the rules that held
    at the close."""
    outcomes = list(RateCardOutcome.objects.order_by("version"))
    faults = [
        f"the outcome of rate card {outcome.version} is not what its ballots come to"
        for outcome, vote, passed in verdicts_of(outcomes)
        if not _agrees(outcome, vote, passed=passed)
    ]
    return _result(len(outcomes), faults, right="every outcome is its ballots counted again")


def _agrees(outcome: RateCardOutcome, vote: Standing, *, passed: bool | None) -> bool:
    """Electorate, ballots, count and verdict; names may have changed since."""
    count = vote.tally
    kept = (outcome.yes, outcome.no, outcome.abstain, outcome.electors, outcome.quorum_met, outcome.passed)
    return (
        [each["member"] for each in outcome.electorate] == [each.member_id for each in vote.electors]
        and outcome.ballots == vote.ballots
        and kept == (count.yes, count.no, count.abstain, count.electors, count.quorum_met, passed)
    )


@transaction.atomic
def adoptions_were_voted() -> ProofResult:
    """Every adopted card but the first has an outcome that passed, adopted at its close; every rejected one failed."""
    passed = dict(RateCardOutcome.objects.values_list("version", "passed"))
    cards = list(RateCard.objects.exclude(version=OPENING_VERSION).filter(state__in=[*ADOPTED, CardState.REJECTED]))
    faults = [
        f"rate card {card.version} is {card.state} and its vote says otherwise"
        for card in cards
        if passed.get(card.version) is not (card.state != CardState.REJECTED)
        or (card.state != CardState.REJECTED and card.approved_at != card.closes_at)
    ]
    return _result(len(cards), faults, right="every adopted rate card was voted for")


@transaction.atomic
def hashes_hold() -> ProofResult:
    """What is published of a card still has the hash it was proposed with."""
    cards = list(RateCard.objects.published().order_by("version"))
    faults = [
        f"rate card {card.version} no longer has its hash"
        for card in cards
        if content_hash(canonical(content_of(card))) != card.content_hash
    ]
    return _result(len(cards), faults, right="every rate card still has its hash")


@transaction.atomic
def dates_ascend() -> ProofResult:
    """Adopted cards take effect in the order they were adopted, each on a day of its own, in time after its notice."""
    cards = list(RateCard.objects.adopted().order_by("approved_at", "version"))
    faults = [
        f"rate card {later.version} was adopted after {earlier.version} and takes effect no later"
        for earlier, later in pairwise(cards)
        if not (earlier.effective_date and later.effective_date and earlier.effective_date < later.effective_date)
    ]
    return _result(len(cards), faults, right="adopted rate cards take effect in the order of their adoption")


GOVERNANCE_PROOFS: Final = (
    Proof("every outcome is its ballots counted again", outcomes_are_counted),
    Proof("every adopted rate card was voted for", adoptions_were_voted),
    Proof("every rate card has its hash", hashes_hold),
    Proof("adopted rate cards take effect in order", dates_ascend),
)
