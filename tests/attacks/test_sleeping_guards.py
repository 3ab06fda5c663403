"""Guards that somebody with DDL rights switched off: what slipped through is named by the proofs."""

import psycopg
import pytest

from cloud_credits.reports.proofs import PROOFS
from habitat.site.reports import guards
from tests.factories import make_member

pytestmark = pytest.mark.django_db(transaction=True)
BALANCE = "cloud_credits_cloudbalance"


def test_a_sleeping_guard__lets_the_owner_through__and_the_proofs_name_what_happened(owner_dsn):
    """DDL is the owner's trust boundary: what it lets in is found from the rows themselves."""
    ada = make_member(credits="5")
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        owner.execute(f"ALTER TABLE {BALANCE} DISABLE TRIGGER balance_moves")
        owner.execute(f"UPDATE {BALANCE} SET liquid = 1000 WHERE member_id = %s", [ada.pk])
        owner.execute(f"ALTER TABLE {BALANCE} ENABLE TRIGGER balance_moves")
    broken = {proof.name for proof in PROOFS if not proof.run().ok}
    assert broken == {"every balance = its replay", "2220 = 10 × outstanding, digit for digit"}


@pytest.mark.parametrize(
    ("table", "trigger"),
    [
        ("cloud_credits_cloudtransaction", "transaction_born"),
        ("cloud_credits_cloudtransaction", "transaction_moves"),
        ("cloud_credits_cloudbalance", "balance_moves"),
        ("cloud_credits_stakingposition", "position_states"),
    ],
)
def test_a_sleeping_guard__is_named_itself(owner_dsn, table, trigger):
    assert guards.triggers_fire().ok
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
    result = guards.triggers_fire()
    assert not result.ok
    assert f"trigger {trigger} on {table} is disabled" in result.message
