"""Attacks on the credit ledger by raw SQL, as the application role and as the owner: the database refuses them all."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from psycopg import errors as pg

from cloud_credits.actions.corrections import reverse
from cloud_credits.actions.identities import revoke
from cloud_credits.actions.mints import request_manual_mint
from cloud_credits.actions.redemptions import redeem
from cloud_credits.actions.staking import stake
from cloud_credits.actions.transfers import transfer
from cloud_credits.models import CloudBalance, CloudTransaction, StakingPosition
from habitat.controls.actions import approvals
from habitat.controls.models import Approval
from habitat.members.policies.actors import SYSTEM
from habitat.money import cloud
from tests.cloud_credits.ledger import broken_proofs, seal
from tests.factories import actor, key, make_member

REFUSED = (pg.CheckViolation, pg.RestrictViolation, pg.InsufficientPrivilege)

# A whole, well-formed pair: one statement books a row and moves its balance. Every attack spoils one thing of it.
PAIR = """
WITH moved AS (
    UPDATE cloud_credits_cloudbalance
       SET liquid = {balance_liquid}, staked = staked, version = {version}, last_transaction_id = {id},
           booked_at = {balance_at}
     WHERE member_id = %(member)s
)
INSERT INTO cloud_credits_cloudtransaction
       (id, type, state, to_member_id, amount, purpose, description, reference, journal_entry_id, to_liquid_after,
        to_staked_after, to_sequence, booked_at, booked_xid, acting)
VALUES ({id}, 'mint', {state}, %(member)s, {amount}, 'manual', '', '', {entry}, {liquid}, {staked}, {sequence},
        {at}, {xid}, 'system:0')
"""
HONEST = {
    "id": "%(next)s",
    "state": "'completed'",
    "amount": "5",
    "liquid": "%(liquid)s + 5",
    "staked": "%(staked)s",
    "sequence": "%(version)s + 1",
    "at": "clock.at",
    "xid": "pg_current_xact_id()::text::bigint",
    "entry": "%(entry)s",
    "balance_liquid": "%(liquid)s + 5",
    "version": "%(version)s + 1",
    "balance_at": "clock.at",
}


@dataclass
class Attacker:
    """One role's own connection and one member's ledger to attack: funded, staked, with one of each record."""

    connection: psycopg.Connection
    facts: dict[str, Any]

    def run(self, sql: str, **more: Any) -> psycopg.Cursor:
        return self.connection.execute(sql, self.facts | more)

    def run_each(self, statements: str) -> None:
        for statement in statements.split("; "):
            self.run(statement)

    def forge(self, **changes: str) -> psycopg.Cursor:
        """The pair of statement parts with some of them spoilt; booked a little after this statement began."""
        parts = HONEST | changes
        at = "statement_timestamp() + interval '1 millisecond'"
        filled = PAIR.format(**{name: part.replace("clock.at", at) for name, part in parts.items()})
        return self.run(filled)


@pytest.fixture(scope="module")
def facts(django_db_setup, django_db_blocker) -> Iterator[dict[str, Any]]:
    """What there is to attack, committed once; every attack is rolled back, and at the end all proofs still hold."""
    with django_db_blocker.unblock():
        yield _world()
        assert broken_proofs() == []
        django_db_setup.mark_dirty()
        django_db_setup.restore()


@pytest.fixture(params=["app", "owner"])
def attacker(request: pytest.FixtureRequest, django_db_setup, facts) -> Iterator[Attacker]:
    with psycopg.connect(django_db_setup.dsn(request.param)) as connection:
        yield Attacker(connection, facts)
        connection.rollback()


def _world() -> dict[str, Any]:
    ada, ben = make_member("Ada", credits="50", is_investor=True), make_member("Ben")
    seal()
    sent = transfer(sender=ada, recipient=ben, amount=cloud("1"), idempotency_key=key(), acting=SYSTEM).transaction
    spent = redeem(member=ada, amount=cloud("2"), idempotency_key=key(), acting=SYSTEM).transaction
    stake(member=ada, amount=cloud("10"), days=30, idempotency_key=key(), acting=SYSTEM)
    _owes(ben)
    asker, second = make_member(), make_member()
    pending, failed = (_asked(ada, asker) for _ in range(2))
    approval = Approval.objects.get(payload__transaction=str(failed.pk))
    approvals.refuse(approval=approval, reason="no", acting=actor(second, "cloud_credits.approve_mint"))
    revoke(member=second, reason="left", acting=SYSTEM)
    balance = CloudBalance.objects.get(member=ada)
    return {
        "member": ada.pk,
        "ben": ben.pk,
        "bare": make_member(identity=False).pk,
        "liquid": balance.liquid,
        "staked": balance.staked,
        "version": balance.version,
        "entry": spent.journal_entry_id,
        "sent": sent.pk,
        "pending": pending.pk,
        "failed": failed.pk,
        "stake": StakingPosition.objects.get().stake_transaction_id,
        "next": 900_000,
        "early": datetime.now(tz=UTC) - timedelta(days=90),
    }


def _asked(member, asker) -> CloudTransaction:
    return request_manual_mint(
        member=member,
        amount=cloud("3"),
        reason="a cheque",
        idempotency_key=key(),
        acting=actor(asker, "cloud_credits.mint_credits"),
    ).transaction


def _owes(member) -> None:
    """The member received three credits, spent them, and the gift was undone."""
    giver = make_member(credits="3")
    gift = transfer(sender=giver, recipient=member, amount=cloud("3"), idempotency_key=key(), acting=SYSTEM)
    redeem(member=member, amount=cloud("4"), idempotency_key=key(), acting=SYSTEM)
    reverse(original=gift.transaction, reason="a mistake", idempotency_key=key(), acting=SYSTEM)


def test_the_honest_pair__is_accepted__so_that_the_attacks_fail_for_their_own_reason(attacker: Attacker):
    assert attacker.forge().rowcount == 1


FORGERIES = {
    "skips a sequence": {"sequence": "%(version)s + 2", "version": "%(version)s + 2"},
    "repeats a sequence": {"sequence": "%(version)s", "version": "%(version)s"},
    "goes back in sequence": {"sequence": "1", "version": "1"},
    "numbers row and balance apart": {"sequence": "%(version)s + 2"},
    "is dated behind the newest row": {"at": "%(early)s", "balance_at": "%(early)s"},
    "is dated before its statement": {
        "at": "statement_timestamp() - interval '1 microsecond'",
        "balance_at": "statement_timestamp() - interval '1 microsecond'",
    },
    "dates row and balance apart": {"balance_at": "clock.at + interval '1 second'"},
    "leaves more than its amount": {"liquid": "%(liquid)s + 500", "balance_liquid": "%(liquid)s + 500"},
    "leaves more on the balance than on the row": {"balance_liquid": "%(liquid)s + 6"},
    "moves the staked part": {"staked": "%(staked)s + 1"},
    "is born processing": {"state": "'processing'"},
    "is born failed": {"state": "'failed'"},
    "is born reversed": {"state": "'reversed'"},
    "is in an unknown state": {"state": "'done'"},
    "claims another database transaction": {"xid": "1"},
    "claims a future database transaction": {"xid": "pg_current_xact_id()::text::bigint + 1000000"},
    "has no journal entry": {"entry": "NULL"},
    "mints nothing": {"amount": "0", "liquid": "%(liquid)s", "balance_liquid": "%(liquid)s"},
    "mints less than nothing": {"amount": "-5", "liquid": "%(liquid)s - 5", "balance_liquid": "%(liquid)s - 5"},
    "leaves figures out": {"liquid": "NULL"},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_pair__is_refused(attacker: Attacker, forgery: str):
    with pytest.raises(REFUSED):
        attacker.forge(**FORGERIES[forgery])


ROW = (
    "INSERT INTO cloud_credits_cloudtransaction (id, type, state, to_member_id, amount, purpose, description, "
    "reference, journal_entry_id, to_liquid_after, to_staked_after, to_sequence, booked_at, booked_xid, acting) "
)
NOW = "statement_timestamp() + interval '1 millisecond', pg_current_xact_id()::text::bigint, 'raw:0')"
# The other way a row comes to be completed: one that was asked for.
COMPLETION = """
WITH moved AS (
    UPDATE cloud_credits_cloudbalance
       SET liquid = liquid + 3, version = version + 1, last_transaction_id = %(pending)s, booked_at = {at}
     WHERE member_id = %(member)s
)
UPDATE cloud_credits_cloudtransaction
   SET state = 'completed', journal_entry_id = %(entry)s, to_liquid_after = %(liquid)s + 3,
       to_staked_after = %(staked)s, to_sequence = %(version)s + 1, booked_at = {at},
       booked_xid = pg_current_xact_id()::text::bigint
 WHERE id = %(pending)s
"""
# The first is as far ahead as the last rows of a large batch may be.
AHEAD = {"1 second": False, "2 minutes": True, "10 years": True}


@pytest.mark.parametrize(("span", "is_refused"), AHEAD.items())
@pytest.mark.parametrize("way", ["born", "completed"])
def test_a_row_booked_ahead_of_the_clock__is_refused(attacker: Attacker, way: str, span: str, is_refused: bool):
    at = f"statement_timestamp() + interval '{span}'"

    def book() -> psycopg.Cursor:
        if way == "born":
            return attacker.forge(at=at, balance_at=at)
        attacker.run("UPDATE cloud_credits_cloudtransaction SET state = 'processing' WHERE id = %(pending)s")
        return attacker.run(COMPLETION.format(at=at))

    if not is_refused:
        assert book().rowcount == 1
        return
    with pytest.raises(pg.CheckViolation) as caught:
        book()
    assert caught.value.diag.constraint_name == "transaction_booked_now"


LONE_ROWS = {
    "a completed row without moving the balance": ROW
    + "VALUES (900000, 'mint', 'completed', %(member)s, 5, 'manual', '', '', %(entry)s, %(liquid)s + 5, %(staked)s, "
    + f"%(version)s + 1, {NOW}",
    "a row slipped in under the newest, with a number that is taken": """
        INSERT INTO cloud_credits_cloudtransaction (id, type, state, to_member_id, amount, purpose, description,
            reference, journal_entry_id, to_liquid_after, to_staked_after, to_sequence, booked_at, booked_xid, acting)
        SELECT 900000, 'mint', 'completed', %(member)s, 5, 'manual', '', '', %(entry)s, from_liquid_after,
               from_staked_after, from_sequence - 1, booked_at - interval '1 microsecond',
               pg_current_xact_id()::text::bigint, 'raw:0'
          FROM cloud_credits_cloudtransaction WHERE id = %(stake)s""",
    "credits for a member without a balance": ROW
    + f"VALUES (900000, 'mint', 'completed', %(bare)s, 5, 'manual', '', '', %(entry)s, 5, 0, 1, {NOW}",
    "a mint with a sender": "INSERT INTO cloud_credits_cloudtransaction (type, state, from_member_id, to_member_id, "
    "amount, purpose, description, reference, acting) "
    "VALUES ('mint', 'pending', %(ben)s, %(member)s, 5, 'manual', '', '', 'raw:0')",
    "a transfer to oneself": "INSERT INTO cloud_credits_cloudtransaction (type, state, from_member_id, to_member_id, "
    "amount, purpose, description, reference, acting) "
    "VALUES ('transfer', 'pending', %(member)s, %(member)s, 5, 'transfer', '', '', 'raw:0')",
    "a pending row with figures": "INSERT INTO cloud_credits_cloudtransaction (type, state, to_member_id, amount, "
    "purpose, description, reference, to_liquid_after, acting) "
    "VALUES ('mint', 'pending', %(member)s, 5, 'manual', '', '', 5, 'raw:0')",
    "a balance born with credits": "INSERT INTO cloud_credits_cloudbalance (member_id, liquid, staked, version, "
    "onchain_sync_status, created_at) VALUES (%(bare)s, 5, 0, 0, 'pending', now())",
}


@pytest.mark.parametrize("attack", LONE_ROWS)
def test_a_lone_row__is_refused(attacker: Attacker, attack: str):
    with pytest.raises(REFUSED):
        attacker.run(LONE_ROWS[attack])


TX, BALANCE = "cloud_credits_cloudtransaction", "cloud_credits_cloudbalance"
POSITION, OWED = "cloud_credits_stakingposition", "cloud_credits_receivable"
REWRITES = {
    "amount": f"UPDATE {TX} SET amount = 2 WHERE id = %(sent)s",
    "amount while pending": f"UPDATE {TX} SET amount = 9 WHERE id = %(pending)s",
    "sender": f"UPDATE {TX} SET from_member_id = %(ben)s, to_member_id = %(member)s WHERE id = %(sent)s",
    "purpose": f"UPDATE {TX} SET purpose = 'grant' WHERE id = %(sent)s",
    "memo": f"UPDATE {TX} SET description = 'other' WHERE id = %(sent)s",
    "who did it": f"UPDATE {TX} SET acting = 'member:1' WHERE id = %(sent)s",
    "number": f"UPDATE {TX} SET id = 900001 WHERE id = %(failed)s",
    "journal entry after completion": f"UPDATE {TX} SET journal_entry_id = %(entry)s WHERE id = %(sent)s",
    "figures after completion": f"UPDATE {TX} SET from_liquid_after = 0 WHERE id = %(sent)s",
    "time after completion": f"UPDATE {TX} SET booked_at = %(early)s WHERE id = %(sent)s",
    "database transaction after completion": f"UPDATE {TX} SET booked_xid = 1 WHERE id = %(sent)s",
    "completed to pending": f"UPDATE {TX} SET state = 'pending' WHERE id = %(sent)s",
    "completed to failed": f"UPDATE {TX} SET state = 'failed' WHERE id = %(sent)s",
    "failed to completed": f"UPDATE {TX} SET state = 'completed' WHERE id = %(failed)s",
    "failed to pending": f"UPDATE {TX} SET state = 'pending' WHERE id = %(failed)s",
    "pending to completed at once": f"UPDATE {TX} SET state = 'completed' WHERE id = %(pending)s",
    "pending to reversed": f"UPDATE {TX} SET state = 'reversed' WHERE id = %(pending)s",
    "reversed without a correction": f"UPDATE {TX} SET state = 'reversed' WHERE id = %(sent)s",
    "completed without moving": f"UPDATE {TX} SET state = 'processing' WHERE id = %(pending)s; "
    f"UPDATE {TX} SET state = 'completed', to_liquid_after = %(liquid)s + 3, to_staked_after = %(staked)s, "
    "to_sequence = %(version)s + 1, booked_at = statement_timestamp() + interval '1 ms', "
    "booked_xid = pg_current_xact_id()::text::bigint, journal_entry_id = %(entry)s WHERE id = %(pending)s",
    "delete transactions": f"DELETE FROM {TX}",
    "truncate transactions": f"TRUNCATE {TX} CASCADE",
    "liquid": f"UPDATE {BALANCE} SET liquid = 1000 WHERE member_id = %(member)s",
    "liquid of everybody": f"UPDATE {BALANCE} SET liquid = liquid + 1",
    "swap liquid and staked": f"UPDATE {BALANCE} SET liquid = staked, staked = liquid WHERE member_id = %(member)s",
    "negative": f"UPDATE {BALANCE} SET liquid = -1 WHERE member_id = %(member)s",
    "version": f"UPDATE {BALANCE} SET version = version + 1 WHERE member_id = %(member)s",
    "balance's time": f"UPDATE {BALANCE} SET booked_at = clock_timestamp() WHERE member_id = %(member)s",
    "balance by an older row": f"UPDATE {BALANCE} SET last_transaction_id = %(sent)s WHERE member_id = %(member)s",
    "balance's owner": f"UPDATE {BALANCE} SET member_id = %(bare)s WHERE member_id = %(member)s",
    "delete balances": f"DELETE FROM {BALANCE} WHERE liquid = 0",
    "truncate balances": f"TRUNCATE {BALANCE} CASCADE",
    "keys": "UPDATE cloud_credits_idempotencykey SET digest = ''",
    "delete keys": "DELETE FROM cloud_credits_idempotencykey",
    "truncate keys": "TRUNCATE cloud_credits_idempotencykey",
    "blocks": "UPDATE cloud_credits_chainblock SET hash = repeat('0', 64)",
    "delete blocks": "DELETE FROM cloud_credits_chainblock",
    "truncate blocks": "TRUNCATE cloud_credits_chainblock",
    "position's amount": f"UPDATE {POSITION} SET amount = 1",
    "position's days": f"UPDATE {POSITION} SET days = 365, share_percent = 10, "
    "unlock_at = staked_at + interval '365 days'",
    "position's unlock": f"UPDATE {POSITION} SET unlock_at = now()",
    "position released early": f"UPDATE {POSITION} SET state = 'unstaked', unstake_transaction_id = %(sent)s, "
    "released_at = now()",
    "position released without a row": f"UPDATE {POSITION} SET state = 'unstaked'",
    "delete positions": f"DELETE FROM {POSITION}",
    "truncate positions": f"TRUNCATE {POSITION}",
    "receivable's amount": f"UPDATE {OWED} SET amount = amount / 2",
    "receivable's debtor": f"UPDATE {OWED} SET member_id = %(member)s",
    "receivable overpaid": f"UPDATE {OWED} SET settled = amount + 1",
    "receivable unpaid": f"UPDATE {OWED} SET settled = -1",
    "delete receivables": f"DELETE FROM {OWED}",
    "truncate receivables": f"TRUNCATE {OWED} CASCADE",
    "name": "UPDATE cloud_credits_ensregistration SET subname = 'other' WHERE member_id = %(member)s",
    "name's owner": "UPDATE cloud_credits_ensregistration SET member_id = %(bare)s WHERE member_id = %(member)s",
    "revocation undone": "UPDATE cloud_credits_ensregistration SET revoked_at = NULL WHERE revoked_at IS NOT NULL",
    "an e-mail published": """UPDATE cloud_credits_ensregistration SET text_records = '{"email": "a@b.c"}'""",
    "delete names": "DELETE FROM cloud_credits_ensregistration",
    "truncate names": "TRUNCATE cloud_credits_ensregistration",
    "update inside a CTE": f"WITH gone AS (UPDATE {TX} SET amount = 1 RETURNING 1) SELECT 1 FROM gone",
    "merge": f"MERGE INTO {BALANCE} b USING {BALANCE} o ON b.id = o.id WHEN MATCHED THEN UPDATE SET liquid = 99",
    "upsert": f"INSERT INTO {BALANCE} (member_id, liquid, staked, version, onchain_sync_status, created_at) "
    "VALUES (%(member)s, 0, 0, 0, 'pending', now()) ON CONFLICT (member_id) DO UPDATE SET liquid = 1000",
    "guards asleep for this session": "SET session_replication_role = replica",
}


@pytest.mark.parametrize("attack", REWRITES)
def test_rewriting__is_refused(attacker: Attacker, attack: str):
    with pytest.raises(REFUSED):
        attacker.run_each(REWRITES[attack])


BORN = (
    f"INSERT INTO {POSITION} (member_id, amount, days, share_percent, staked_at, unlock_at, state, "
    "stake_transaction_id, unstake_transaction_id, released_at) VALUES (%(member)s, 1, {days}, {share}, "
    "now(), now() + interval '{lasts} days', '{state}', %(sent)s, {ended}, {at})"
)
WELL_BORN = {"days": 90, "share": "2.47", "lasts": 90, "state": "active", "ended": "NULL", "at": "NULL"}
POSITIONS = {
    "a share off the curve": {"share": "2.48"},
    "a share by float rounding": {"days": 30, "lasts": 30, "share": "0.83"},
    "too short": {"days": 29, "lasts": 29, "share": "0.79"},
    "too long": {"days": 366, "lasts": 366, "share": "10.03"},
    "unlocked before its days are over": {"lasts": 30},
    "born unstaked": {"state": "unstaked", "ended": "%(sent)s", "at": "now() + interval '91 days'"},
    "born slashed": {"state": "slashed", "ended": "%(sent)s", "at": "now()"},
    "released but active": {"ended": "%(sent)s", "at": "now()"},
}


def test_a_well_born_position__is_accepted(attacker: Attacker):
    assert attacker.run(BORN.format(**WELL_BORN)).rowcount == 1


@pytest.mark.parametrize("attack", POSITIONS)
def test_a_forged_position__is_refused(attacker: Attacker, attack: str):
    with pytest.raises(REFUSED):
        attacker.run(BORN.format(**(WELL_BORN | POSITIONS[attack])))


DEBT = (
    f"INSERT INTO {OWED} (member_id, amount, settled, origin_id, journal_entry_id) "
    "VALUES (%(ben)s, {amount}, {settled}, %(sent)s, %(entry)s)"
)


def test_a_debt_born_settled__is_refused(attacker: Attacker):
    with pytest.raises(pg.CheckViolation, match="born unsettled"):
        attacker.run(DEBT.format(amount=1, settled=1))


@pytest.mark.parametrize("amount", ["0.5", "2"])
def test_a_reversal__that_is_not_undone_whole_is_refused(attacker: Attacker, amount: str):
    attacker.run(DEBT.format(amount=amount, settled=0))
    with pytest.raises(pg.CheckViolation, match="undo all of it"):
        attacker.run(f"UPDATE {TX} SET state = 'reversed' WHERE id = %(sent)s")


def test_a_reversal__by_a_debt_of_somebody_else_is_refused(attacker: Attacker):
    attacker.run(DEBT.format(amount=1, settled=0).replace("%(ben)s", "%(member)s"))
    with pytest.raises(pg.CheckViolation, match="undo all of it"):
        attacker.run(f"UPDATE {TX} SET state = 'reversed' WHERE id = %(sent)s")


@pytest.mark.django_db
def test_a_stake_ended_and_put_back_with_better_terms__is_seen():
    ada, ben = make_member(credits="9", is_investor=True), make_member()
    staked = stake(member=ada, amount=cloud("5"), days=30, idempotency_key=key(), acting=SYSTEM).transaction
    other = transfer(sender=ada, recipient=ben, amount=cloud("1"), idempotency_key=key(), acting=SYSTEM).transaction
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {POSITION} SET state = 'slashed', unstake_transaction_id = %s, released_at = now() "
            "WHERE stake_transaction_id = %s",
            [other.pk, staked.pk],
        )
        cursor.execute(
            f"INSERT INTO {POSITION} (member_id, amount, days, share_percent, staked_at, unlock_at, state, "
            "stake_transaction_id) VALUES (%s, 5, 365, 10, now() - interval '8760 hours', now(), 'active', %s)",
            [ada.pk, other.pk],
        )
    [broken] = broken_proofs()
    assert broken.startswith("every stake is what its transactions say: 2 wrong")


@pytest.mark.django_db
def test_a_debt_marked_settled__is_seen_even_where_another_hides_it():
    ada = make_member(credits="1")
    _owes(ada)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {OWED} SET settled = 1 WHERE member_id = %s", [ada.pk])
    assert any(broken.startswith("what is settled of a debt was burned") for broken in broken_proofs())


@pytest.mark.django_db
def test_queryset_update__is_stopped_by_the_database():
    ada = make_member(credits="5")
    rows, balances = CloudTransaction.objects.filter(to_member=ada), CloudBalance.objects.filter(member=ada)
    for attempt in (
        lambda: balances.update(liquid=Decimal(1000)),
        lambda: balances.delete(),
        lambda: rows.update(state="pending"),
        lambda: rows.update(state="reversed"),
        lambda: rows.update(amount=Decimal(1000)),
        lambda: rows.update(journal_entry=None),
        lambda: rows.delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt()
    assert broken_proofs() == []
