"""Manual mints: asked with a reason, granted by somebody else, completed once, or failed for good."""

from decimal import Decimal
from functools import partial

import pytest
from django.db import transaction
from django_fsm import TransitionNotAllowed

from cloud_credits.actions.corrections import reverse
from cloud_credits.actions.mints import abandon_manual_mint, carry_out_manual_mint, request_manual_mint
from cloud_credits.errors import MemberNotActive, NoCloudIdentity, NotReversible, TechneTakesNoTransfers
from cloud_credits.models import CloudTransaction
from cloud_credits.reports.balances import pending_of
from habitat.controls.actions import approvals
from habitat.controls.errors import ApprovalSettled, NotYourRequest, PersonNeeded, SecondPersonNeeded
from habitat.controls.models import Approval
from habitat.errors import AmountNotPositive, NotAllowed, ReasonRequired
from habitat.events.models import Event
from habitat.members.actions import members
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from tests.cloud_credits.ledger import account, broken_proofs, commit_checks, holdings, lines_of, refused, stored, told
from tests.factories import actor, key, make_member, system_member

pytestmark = pytest.mark.django_db

MAY_ASK, MAY_GRANT = "cloud_credits.mint_credits", "cloud_credits.approve_mint"


@pytest.fixture(autouse=True)
def proven():
    yield
    commit_checks()
    assert broken_proofs() == []


@pytest.fixture
def asker():
    return actor(make_member("Asker"), MAY_ASK, MAY_GRANT)


@pytest.fixture
def second():
    return actor(make_member("Second"), MAY_GRANT)


def asked(member, asker, amount: str = "25", **more) -> CloudTransaction:
    given = {"amount": cloud(amount), "reason": "a cheque", "idempotency_key": key()}
    return request_manual_mint(**({"member": member, "acting": asker} | given | more)).transaction


def approval_of(row: CloudTransaction) -> Approval:
    return Approval.objects.get(payload__transaction=str(row.pk))


def grant(row: CloudTransaction, by):
    return approvals.grant(approval=approval_of(row), reason="seen", acting=by)


def test_mint__waits_for_a_second_person_and_moves_nothing(asker):
    ada = make_member()
    row = stored(asked(ada, asker))
    assert (row.state, row.type, row.purpose) == ("pending", "mint", "manual")
    assert (row.booked_at, row.to_sequence, row.journal_entry_id) == (None, None, None)
    assert holdings(ada) == [("0", "0")]
    assert pending_of(ada.pk) == [row]
    assert approval_of(row).subject == f"Mint 25 CLOUD to {ada.display_name}"
    assert not Event.objects.filter(name="cloud.minted").exists()


def test_mint__granted_by_another_person_completes(asker, second):
    ada = make_member()
    row = asked(ada, asker)
    grant(row, second)
    row = stored(row)
    assert (row.state, row.to_sequence, row.to_liquid_after) == ("completed", 1, Decimal(25))
    assert holdings(ada) == [("25", "0")]
    assert lines_of(row) == {("5930", "D", "250"), ("2220", "C", "250")}
    payload = told("cloud.minted")
    assert (payload["transaction_id"], payload["member_id"], payload["quantity"]) == (row.pk, ada.pk, "25")
    assert (payload["amount_paid"], payload["payment_method"], payload["balance_after"]) == ("0", "manual", "25")
    assert payload["journal_entry_id"] == row.journal_entry_id
    refused(ApprovalSettled, lambda: grant(row, second))
    assert pending_of(ada.pk) == []


def test_mint__cannot_be_granted_by_who_asked__or_without_the_right__or_by_the_house(asker, second):
    row, nobody = asked(make_member(), asker), actor(make_member())
    refused(SecondPersonNeeded, lambda: grant(row, asker))
    refused(NotAllowed, lambda: grant(row, nobody))
    refused(PersonNeeded, lambda: grant(row, SYSTEM))
    assert stored(row).state == "pending"


def test_mint__refused_fails_and_stays_failed(asker, second):
    ada = make_member()
    row = asked(ada, asker)
    approval = approval_of(row)
    approvals.refuse(approval=approval, reason="no cheque", acting=second)
    assert stored(row).state == "failed"
    refused(ApprovalSettled, lambda: grant(row, second))
    for late in (carry_out_manual_mint, abandon_manual_mint):
        with pytest.raises(TransitionNotAllowed), transaction.atomic():
            late(approval=approval, acting=second)
    refused(NotReversible, partial(reverse, original=row, reason="x", idempotency_key=key(), acting=SYSTEM))
    assert stored(row).state == "failed"
    assert holdings(ada) == [("0", "0")]


def test_mint__withdrawn_by_who_asked_fails(asker, second):
    row = asked(make_member(), asker)
    refused(NotYourRequest, lambda: approvals.withdraw(approval=approval_of(row), reason="x", acting=second))
    approvals.withdraw(approval=approval_of(row), reason="a slip", acting=asker)
    assert stored(row).state == "failed"


@pytest.mark.parametrize("verb", ["suspend", "deactivate", "withdraw", "expel"])
def test_mint__to_a_member_who_left_in_between__stays_open_and_completes_on_return(verb, asker, second):
    ada = make_member()
    row = asked(ada, asker)
    getattr(members, verb)(member=ada, reason="test", acting=SYSTEM)
    refused(MemberNotActive, lambda: grant(row, second))
    assert stored(row).state == "pending"
    assert approval_of(row).state == "requested"
    if verb in {"suspend", "deactivate"}:
        members.reinstate(member=ada, reason="back", acting=SYSTEM)
        grant(row, second)
        assert holdings(ada) == [("25", "0")]


def test_mint__without_a_cloud_identity_cannot_complete(asker, second):
    row = asked(make_member(identity=False), asker)
    refused(NoCloudIdentity, lambda: grant(row, second))


def test_mint__refusals_leave_nothing(asker):
    ada = make_member()
    refused(NotAllowed, lambda: asked(ada, actor(ada)))
    refused(ReasonRequired, lambda: asked(ada, asker, reason=" "))
    refused(TechneTakesNoTransfers, lambda: asked(system_member(SystemAccount.TECHNE), asker))
    refused(AmountNotPositive, lambda: asked(ada, asker, "0"))


def test_mint__the_same_key_asks_once(asker):
    ada = make_member()
    first = asked(ada, asker, idempotency_key="k")
    again = request_manual_mint(member=ada, amount=cloud("25"), reason="a cheque", idempotency_key="k", acting=asker)
    assert (again.replayed, again.transaction.pk) == (True, first.pk)
    assert Approval.objects.count() == 1


def test_mint__reversed_takes_the_credits_back(asker, second):
    ada = make_member()
    row = asked(ada, asker)
    grant(row, second)
    reverse(original=stored(row), reason="bounced", idempotency_key=key(), acting=SYSTEM)
    assert holdings(ada) == [("0", "0")]
    assert (account("2220"), account("5930")) == (0, 0)
