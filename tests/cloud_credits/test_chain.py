"""The hash chain: what a block covers, and that tampering behind the guards is named."""

import hashlib

import psycopg
import pytest
from django.db import connection

from cloud_credits.actions.corrections import reverse
from cloud_credits.actions.transfers import transfer
from cloud_credits.models import ChainBlock, CloudTransaction
from cloud_credits.reports.proofs import PROOFS
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.ledger import broken_proofs, seal
from tests.factories import key, make_member

pytestmark = pytest.mark.django_db(transaction=True)

[CHAIN] = [proof for proof in PROOFS if proof.name == "hash chain intact"]


def sent(amount: str = "1") -> CloudTransaction:
    ada, ben = make_member(credits="10"), make_member()
    return transfer(
        sender=ada, recipient=ben, amount=cloud(amount), memo="x", idempotency_key=key(), acting=SYSTEM
    ).transaction


def tamper(superuser_dsn: str, statement: str, *given: object) -> None:
    """What somebody with all rights could do: change rows with every trigger asleep."""
    with psycopg.connect(superuser_dsn, autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")
        assert superuser.execute(statement, given).rowcount >= 1


def test_seal__binds_each_block_to_the_one_before():
    assert seal() is None
    sent()
    first = seal()
    assert (first.height, first.rows, first.from_xid, first.previous_hash) == (1, 2, 0, "0" * 64)
    assert seal() is None
    sent()
    second = seal()
    assert (second.height, second.from_xid, second.previous_hash) == (2, first.to_xid, first.hash)
    assert CHAIN.run().ok
    assert CHAIN.run().counted == 2


def test_seal__is_the_sha256_that_an_auditor_computes():
    sent()
    block = seal()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT cloud_credits_canonical(t) FROM cloud_credits_cloudtransaction t ORDER BY booked_xid, id"
        )
        lines = [row[0] for row in cursor.fetchall()]
    text = "\n".join([block.previous_hash, *lines])
    assert block.hash == hashlib.sha256(text.encode()).hexdigest()


def test_seal__a_later_reversal_leaves_sealed_rows_as_they_were():
    row = sent()
    seal()
    reverse(original=row, reason="x", idempotency_key=key(), acting=SYSTEM)
    assert CHAIN.run().ok
    assert seal().rows == 1
    assert broken_proofs() == []


TAMPERINGS = {
    "an amount": "amount = amount + 1",
    "a recipient": "to_member_id = (SELECT id FROM members_member WHERE system_code = 'pool')",
    "a memo": "description = 'y'",
    "who did it": "acting = 'member:1'",
    "a moment": "booked_at = booked_at + interval '1 microsecond'",
    "a balance after": "from_liquid_after = from_liquid_after + 1",
    "its entry": "journal_entry_id = (SELECT min(id) FROM treasury_journalentry)",
    "its database transaction": "booked_xid = booked_xid + 1000000",
}


@pytest.mark.parametrize("change", TAMPERINGS)
def test_chain__names_the_block_in_which_was_changed(change, superuser_dsn):
    sent()
    seal()
    row = sent()
    seal()
    tamper(superuser_dsn, f"UPDATE cloud_credits_cloudtransaction SET {TAMPERINGS[change]} WHERE id = %s", row.pk)
    result = CHAIN.run()
    assert not result.ok
    assert result.message == "1 wrong, the first: 2"


def test_chain__names_the_block_from_which_a_row_was_taken(superuser_dsn):
    row = sent()
    block = seal()
    tamper(superuser_dsn, "DELETE FROM cloud_credits_cloudtransaction WHERE id = %s", row.pk)
    assert CHAIN.run().message == "1 wrong, the first: 1"
    assert block.rows == 2


def test_chain__names_a_block_that_was_rewritten_or_removed(superuser_dsn):
    for _ in range(3):
        sent()
        seal()
    assert ChainBlock.objects.count() == 3
    tamper(superuser_dsn, "DELETE FROM cloud_credits_chainblock WHERE height = 2")
    assert not CHAIN.run().ok
    tamper(superuser_dsn, "UPDATE cloud_credits_chainblock SET hash = repeat('a', 64) WHERE height = 1")
    assert CHAIN.run().message == "2 wrong, the first: 1"
