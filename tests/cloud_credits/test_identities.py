"""Cloud identities: what may be a name or an address, once for ever, and many at a time."""

from functools import partial

import pytest

from cloud_credits.actions.identities import IdentityRow, initialize, initialize_many, revoke
from cloud_credits.actions.transfers import transfer
from cloud_credits.errors import (
    AddressTaken,
    AlreadyInitialized,
    InvalidAddress,
    InvalidSubname,
    NoCloudIdentity,
    ReservedSubname,
    SubnameTaken,
)
from cloud_credits.models import CloudBalance, EnsRegistration
from cloud_credits.policies.identities import RESERVED_SUBNAMES
from habitat.errors import NotAllowed, ReasonRequired
from habitat.events.models import Event
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.statuses import SystemAccount
from habitat.money import cloud
from tests.cloud_credits.ledger import broken_proofs, holdings, refused, told
from tests.factories import actor, address, key, make_member, system_member

pytestmark = pytest.mark.django_db

CHECKSUMMED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture(autouse=True)
def proven():
    yield
    assert broken_proofs() == []


def ask(member: Member, subname: str = "sun", given: str = CHECKSUMMED, acting=SYSTEM) -> CloudBalance:
    return initialize(member=member, subname=subname, address=given, acting=acting)


def test_initialize__gives_name_address_and_balance_together():
    ada = make_member(identity=False)
    balance = ask(ada)
    ada.refresh_from_db(fields=["ens_subname", "ethereum_address", "cloud_wallet_created_at"])
    assert (ada.ens_subname, ada.ethereum_address) == ("sun", CHECKSUMMED)
    assert ada.cloud_wallet_created_at is not None
    registration = EnsRegistration.objects.get()
    assert (registration.full_name, registration.registered_onchain) == ("sun.habitat.eth", False)
    assert holdings(ada) == [("0", "0")]
    assert told("cloud.identity_initialized") == {
        "member_id": ada.pk,
        "ens_subname": "sun.habitat.eth",
        "ethereum_address": CHECKSUMMED,
        "balance_id": balance.pk,
        "ens_id": registration.pk,
    }


@pytest.mark.parametrize("name", ["a", "7", "a-b", "a--b", "0x", "a" * 63, "a1-" + "b" * 60, "xn-a", "techno"])
def test_subname__is_accepted(name):
    assert ask(make_member(identity=False), name).member.ens_registrations.get().subname == name


@pytest.mark.parametrize(
    "name",
    [
        "", "-", "-a", "a-", "a" * 64, "A", "Sun", "sün", "a_b", "a.b", "a b", " a", "a\n", "xn--abc", "xn--", "\u0430",
        "a@b.c", "١",
    ],
)  # fmt: skip
def test_subname__is_refused(name):
    ada = make_member(identity=False)
    assert refused(InvalidSubname, partial(ask, ada, name)).field == "subname"


@pytest.mark.parametrize("name", sorted(RESERVED_SUBNAMES))
def test_subname__reserved_for_the_cooperative(name):
    refused(ReservedSubname, partial(ask, make_member(identity=False), name))


def test_subname__of_a_system_account_is_its_own():
    pool = system_member(SystemAccount.POOL)
    refused(ReservedSubname, partial(ask, pool, "treasury"))
    assert ask(pool, "pool").member_id == pool.pk


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (CHECKSUMMED, CHECKSUMMED),
        (CHECKSUMMED.lower(), CHECKSUMMED),
        ("0x" + CHECKSUMMED[2:].upper(), CHECKSUMMED),
        ("0x" + "0" * 35 + "10000", "0x" + "0" * 35 + "10000"),
    ],
)
def test_address__is_kept_with_its_checksum(given, kept):
    ask(make_member(identity=False), given=given)
    assert EnsRegistration.objects.get().ethereum_address == kept


@pytest.mark.parametrize(
    "given",
    [
        "", "0x", CHECKSUMMED[2:], "0X" + CHECKSUMMED[2:],
        CHECKSUMMED[:-1],  # 39 digits, like the sample of brief 125
        CHECKSUMMED + "0", CHECKSUMMED.replace("A", "G", 1), CHECKSUMMED + "\n", " " + CHECKSUMMED,
        CHECKSUMMED.replace("aA", "AA", 1),  # mixed case with a wrong checksum
        "0x" + "0" * 40, *("0x" + f"{number:040x}" for number in (1, 2, 3, 9, 0x0A, 0x100, 0xFFFF)),
    ],
)  # fmt: skip
def test_address__is_refused(given):
    error = refused(InvalidAddress, partial(ask, make_member(identity=False), given=given))
    assert (error.code, error.field) == ("invalid_address", "address")


def test_initialize__names_and_addresses_are_unique__in_any_case():
    ada, ben = make_member(identity=False), make_member(identity=False)
    ask(ada)
    refused(AlreadyInitialized, partial(ask, ada, "moon", address(77)))
    refused(SubnameTaken, partial(ask, ben, "sun", address(77)))
    refused(AddressTaken, partial(ask, ben, "moon", CHECKSUMMED.lower()))
    refused(NotAllowed, partial(ask, ben, "moon", address(77), acting=actor(ben)))


def test_revoke__a_name_is_never_issued_again__and_credits_stay():
    ada, ben = make_member(credits="5"), make_member(identity=False)
    name, held = ada.ens_subname, ada.ethereum_address
    refused(ReasonRequired, partial(revoke, member=ada, reason="", acting=SYSTEM))
    refused(NotAllowed, partial(revoke, member=ada, reason="x", acting=actor(ada)))
    revoked = revoke(member=ada, reason="lost key", acting=SYSTEM)
    assert (revoked.revoke_reason, revoked.revoked_by) == ("lost key", "system:0")
    refused(NoCloudIdentity, partial(revoke, member=ada, reason="again", acting=SYSTEM))
    refused(SubnameTaken, partial(ask, ben, name, address(77)))
    refused(AddressTaken, partial(ask, ben, "moon", held))
    # What was written on the membership is written once: after a revocation it gets no second identity.
    refused(AlreadyInitialized, partial(ask, ada, "moon", address(77)))
    transfer(sender=ada, recipient=make_member(), amount=cloud("5"), idempotency_key=key(), acting=actor(ada))
    assert holdings(ada) == [("0", "0")]


def test_initialize_many__one_bad_row_in_a_hundred_undoes_no_other():
    people = [make_member(identity=False) for _ in range(100)]
    rows = [IdentityRow(person.pk, f"p{number}", address(5_000 + number)) for number, person in enumerate(people)]
    rows[41] = IdentityRow(people[41].pk, "xn--bad", address(5_041))
    steps = []
    events = Event.objects.count()

    results = initialize_many(rows, acting=SYSTEM, progress=lambda: steps.append(1))

    assert len(steps) == 100
    assert [result.success for result in results].count(True) == 99
    [bad] = [result for result in results if not result.success]
    assert (bad.row, bad.code, bad.balance_id) == (rows[41], "invalid_subname", None)
    assert "xn--bad" in bad.message
    assert CloudBalance.objects.filter(member__in=people).count() == 99
    assert Event.objects.count() == events + 99
    assert Member.objects.get(pk=people[41].pk).ens_subname is None


def test_initialize_many__says_for_each_row_what_stood_in_the_way():
    ada, ben, cleo, dora = (make_member(identity=False) for _ in range(4))
    results = initialize_many(
        [
            IdentityRow(ada.pk, "one", address(7_001)),
            IdentityRow(ben.pk, "one", address(7_002)),
            IdentityRow(ben.pk, "two", address(7_001)),
            IdentityRow(999_999, "three", address(7_003)),
            IdentityRow(ada.pk, "four", address(7_004)),
            IdentityRow(cleo.pk, "admin", address(7_005)),
            IdentityRow(cleo.pk, "five", "0x12"),
            IdentityRow(dora.pk, "six", address(7_006)),
        ],
        acting=SYSTEM,
    )
    assert [result.code for result in results] == [
        None, "subname_taken", "address_taken", "unknown_member", "already_initialized", "reserved_subname",
        "invalid_address", None,
    ]  # fmt: skip
    refused(NotAllowed, partial(initialize_many, [], acting=actor(ada)))
