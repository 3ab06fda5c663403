"""The chart as the domain lists it, its sub-accounts, and accounts taken out of use."""

import pytest

from habitat.errors import NotAllowed, ReasonRequired
from habitat.members.policies.actors import SYSTEM, Actor, ActorKind
from tests.treasury.postings import posted
from treasury import errors
from treasury.actions import accounts
from treasury.models import Account
from treasury.policies.chart import CHART
from treasury.reports.accounts import account_balance, balances

pytestmark = pytest.mark.django_db

POSTABLE = [
    "1110",
    "1115",
    "1116",
    "1120",
    "1130",
    "1310",
    "1510",
    "2110",
    "2120",
    "2220",
    "2230",
    "2240",
    "2320",
    "2330",
    "3200",
    "3290",
    "3310",
    "3320",
    "3330",
    "4110",
    "4120",
    "4310",
    "4320",
    "4420",
    "4910",
    "5210",
    "5510",
    "5520",
    "5530",
    "5540",
    "5610",
    "5910",
    "5930",
    "5940",
    "6410",
    "6510",
]
PARENTS = ["1000", "1210", "2000", "3000", "3100", "4000", "5000", "6000"]


def test_chart__holds_exactly_the_domains_accounts():
    rows = dict(Account.objects.values_list("code", "is_postable"))

    assert sorted(code for code, postable in rows.items() if postable) == POSTABLE
    assert sorted(code for code, postable in rows.items() if not postable) == PARENTS
    assert len(CHART) == len(rows) == 44


@pytest.mark.parametrize(
    ("code", "kind", "side", "ledger", "parent"),
    [
        ("1110", "asset", "D", "book", "1000"),
        ("2220", "liability", "C", "book", "2000"),
        ("3100", "equity", "C", "book", "3000"),
        ("3200", "equity", "C", "tax", None),
        ("3290", "equity", "D", "tax", None),
        ("4420", "revenue", "C", "book", "4000"),
        ("5940", "expense", "D", "book", "5000"),
        ("6410", "expense", "D", "book", "6000"),
    ],
)
def test_chart__kinds_sides_ledgers_and_parents(code, kind, side, ledger, parent):
    account = Account.objects.select_related("parent").get(code=code)

    above = account.parent.code if account.parent else None
    assert (account.kind, account.normal_side, account.ledger, above) == (kind, side, ledger, parent)


def test_sub_account__takes_its_parents_nature_and_lines():
    account = accounts.open_sub_account(parent="3100", suffix="000012", name="Capital of member 12", acting=SYSTEM)

    assert (account.code, account.kind, account.normal_side, account.ledger) == ("3100-000012", "equity", "C", "book")
    posted(("1110", "50", None), ("3100-000012", None, "50"))
    assert account_balance("3100-000012") == 50


def test_sub_account__opened_twice_is_one():
    first = accounts.open_sub_account(parent="1210", suffix="ETHx", name="ETHx", acting=SYSTEM)
    again = accounts.open_sub_account(parent="1210", suffix="ETHx", name="ETHx", acting=SYSTEM)

    assert first == again


@pytest.mark.parametrize(
    ("parent", "suffix", "refusal"),
    [
        ("2999", "1", errors.UnknownAccount),
        ("2220", "1", errors.AccountTakesNoSubAccounts),
        ("3100", "", errors.AccountCodeMalformed),
        ("3100", "a b", errors.AccountCodeMalformed),
        ("3100", "x" * 25, errors.AccountCodeMalformed),
    ],
)
def test_sub_account__refuses(parent, suffix, refusal):
    with pytest.raises(refusal):
        accounts.open_sub_account(parent=parent, suffix=suffix, name="Odd", acting=SYSTEM)

    assert Account.objects.count() == 44


def test_sub_account__refuses_a_taken_code_and_a_stranger():
    accounts.open_sub_account(parent="1210", suffix="ETHx", name="ETHx", acting=SYSTEM)

    with pytest.raises(errors.AccountCodeTaken):
        accounts.open_sub_account(parent="1210", suffix="ETHx", name="Another", acting=SYSTEM)
    with pytest.raises(NotAllowed):
        accounts.open_sub_account(
            parent="1210", suffix="DAIx", name="DAIx", acting=Actor(kind=ActorKind.MEMBER, id=3, name="Ana")
        )


def test_retire__takes_no_more_lines_until_brought_back():
    account = Account.objects.get(code="4910")
    with pytest.raises(ReasonRequired):
        accounts.retire(account=account, reason="", acting=SYSTEM)
    accounts.retire(account=account, reason="No interest any more", acting=SYSTEM)

    with pytest.raises(errors.AccountInactive):
        posted(("1110", "5", None), ("4910", None, "5"))

    accounts.bring_back(account=account, reason="Interest again", acting=SYSTEM)
    posted(("1110", "5", None), ("4910", None, "5"))
    assert balances(["1110", "4910", "2220"]) == {"1110": 5, "4910": 5, "2220": 0}


def test_balance__of_an_unknown_account_is_refused():
    with pytest.raises(errors.UnknownAccount):
        account_balance("9999")
