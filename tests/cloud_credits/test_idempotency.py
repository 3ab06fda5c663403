"""Keys: who shares them, what counts as the same content, and that a refusal uses none up."""

from decimal import Decimal
from functools import partial

import pytest

from cloud_credits.actions import idempotency
from cloud_credits.actions.burns import burn
from cloud_credits.actions.corrections import correct
from cloud_credits.actions.grants import grant
from cloud_credits.actions.mints import request_manual_mint
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import InsufficientBalance
from cloud_credits.models import IdempotencyKey
from habitat.errors import IdempotencyConflict, IdempotencyKeyRequired
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from tests.cloud_credits.ledger import broken_proofs, commit_checks, holdings, refused, row_counts
from tests.factories import fund, make_member, system_member

pytestmark = pytest.mark.django_db


def asking(verb: str) -> partial:
    """The verb with everything it needs but its key, and more than enough credits."""
    ada, ben, pool = make_member(credits="50", is_investor=True), make_member(), system_member(SystemAccount.POOL)
    fund(pool, "50")
    given = {"amount": cloud("2"), "acting": SYSTEM}
    return {
        "transfer": partial(transfer, sender=ada, recipient=ben, **given),
        "redeem": partial(redeem, member=ada, **given),
        "burn": partial(burn, member=ada, reason="x", **given),
        "grant": partial(grant, giver=pool, recipient=ben, reason="x", **given),
        "correct": partial(correct, to_member=ada, reason="x", **given),
        "stake": partial(stake, member=ada, days=30, **given),
        "mint": partial(request_manual_mint, member=ada, reason="x", **given),
    }[verb]


VERBS = ("transfer", "redeem", "burn", "grant", "correct", "stake", "mint")


@pytest.mark.parametrize("verb", VERBS)
def test_a_key__replays_conflicts_and_survives_refusals(verb):
    ask = asking(verb)
    if verb not in {"correct", "mint"}:
        refused(InsufficientBalance, partial(ask, idempotency_key="k", amount=cloud("51")))
    first = ask(idempotency_key="k")
    before = row_counts()
    # 2 and 2.00000000 are the same amount.
    again = ask(idempotency_key="k", amount=cloud(Decimal("2.00000000")))
    assert (first.replayed, again.replayed, again.transaction.pk) == (False, True, first.transaction.pk)
    assert row_counts() == before
    refused(IdempotencyConflict, partial(ask, idempotency_key="k", amount=cloud("2.00000001")))
    for bad in ("", "x" * 201, "a\x00b", "a\nb"):
        refused(IdempotencyKeyRequired, partial(ask, idempotency_key=bad))
    commit_checks()
    assert broken_proofs() == []


def test_a_key__is_for_one_operation_and_one_actor():
    ada, ben = make_member(credits="50"), make_member()
    given = {"amount": cloud("2"), "idempotency_key": "k", "acting": SYSTEM}
    transfer(sender=ada, recipient=ben, **given)
    redeem(member=ada, **given)
    burn(member=ada, reason="x", **given)
    assert holdings(ada, ben) == [("44", "0"), ("2", "0")]
    assert IdempotencyKey.objects.filter(key="k").count() == 3


def test_the_digest__does_not_depend_on_the_order_of_fields():
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert idempotency.digest(one) == idempotency.digest(other) != idempotency.digest({"a": "1", "b": "3"})
