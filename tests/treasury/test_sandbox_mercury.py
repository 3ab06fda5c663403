"""The sandbox bank answers as Mercury's documentation says: shapes, paging, windows, sign-in, faults."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.sandboxes import MERCURY_TOKEN, Sandbox

DOCUMENTED = {
    "id", "accountId", "amount", "status", "kind", "counterpartyId", "counterpartyName", "counterpartyNickname",
    "createdAt", "estimatedDeliveryDate", "postedAt", "failedAt", "reasonForFailure", "bankDescription",
    "externalMemo", "note", "details", "dashboardLink", "attachments", "feeId", "relatedTransactions", "glAllocations",
}  # fmt: skip


def get(bank: Sandbox, path: str, *, token: str = MERCURY_TOKEN, **query) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{bank.url}/api/v1/{path}", params=query, headers=headers, trust_env=False)


def test_accounts__have_balances_that_transactions_move(mercury_sandbox):
    account = mercury_sandbox.control("accounts", name="Operating", availableBalance="100.10", currentBalance="100.10")
    mercury_sandbox.control("transactions", amount="0.20", counterpartyName="A")
    mercury_sandbox.control("transactions", amount="-10", counterpartyName="B", status="pending")

    answer = get(mercury_sandbox, f"account/{account['id']}").json()

    assert (answer["availableBalance"], answer["currentBalance"]) == (90.3, 100.3)
    assert get(mercury_sandbox, "accounts").json()["accounts"] == [answer]


def test_transaction__has_every_documented_field_and_its_digits(mercury_sandbox):
    mercury_sandbox.control("transactions", amount="0.30000001", counterpartyName="Ada", bankDescription="WIRE IN")

    answer = get(mercury_sandbox, "transactions")

    (line,) = answer.json()["transactions"]
    assert line.keys() >= DOCUMENTED
    assert '"amount":0.30000001' in answer.text
    assert (line["status"], line["bankDescription"], line["postedAt"]) == ("sent", "WIRE IN", line["createdAt"])
    assert get(mercury_sandbox, f"account/{line['accountId']}/transaction/{line['id']}").json() == line


def test_account_transactions__are_paged_by_offset_newest_first(mercury_sandbox):
    made = [mercury_sandbox.control("transactions", amount=str(n), externalId=f"x{n}") for n in range(1, 6)]
    path = f"account/{made[0]['accountId']}/transactions"

    answer = get(mercury_sandbox, path, limit=2, offset=1).json()

    assert answer["total"] == 5
    assert [line["amount"] for line in answer["transactions"]] == [4, 3]
    assert [line["amount"] for line in get(mercury_sandbox, path, order="asc").json()["transactions"]] == [
        1,
        2,
        3,
        4,
        5,
    ]


def test_transactions__are_paged_by_cursor(mercury_sandbox):
    for n in range(1, 6):
        mercury_sandbox.control("transactions", amount=str(n))
    seen, after = [], {}
    while True:
        answer = get(mercury_sandbox, "transactions", limit=2, order="asc", **after).json()
        seen += [line["amount"] for line in answer["transactions"]]
        if not answer["page"]["nextPage"]:
            break
        after = {"start_after": answer["page"]["nextPage"]}

    assert seen == [1, 2, 3, 4, 5]


def test_window__reaches_thirty_days_back_unless_told(mercury_sandbox):
    old = (datetime.now(UTC) - timedelta(days=31)).isoformat()
    mercury_sandbox.control("transactions", amount="1", createdAt=old)
    mercury_sandbox.control("transactions", amount="2")

    assert [line["amount"] for line in get(mercury_sandbox, "transactions").json()["transactions"]] == [2]
    wider = get(mercury_sandbox, "transactions", start="2026-01-01", order="asc").json()["transactions"]
    assert [line["amount"] for line in wider] == [1, 2]


def test_status__filters_and_changes(mercury_sandbox):
    pending = mercury_sandbox.control("transactions", amount="5", status="pending", bankDescription="hold")
    assert pending["postedAt"] is None

    mercury_sandbox.control(f"transactions/{pending['id']}", status="sent", amount="5.5", bankDescription="done")

    (line,) = get(mercury_sandbox, "transactions", status="sent").json()["transactions"]
    assert (line["amount"], line["bankDescription"], line["postedAt"] is not None) == (5.5, "done", True)
    mercury_sandbox.control(f"transactions/{pending['id']}/remove")
    assert get(mercury_sandbox, "transactions").json()["transactions"] == []
    assert get(mercury_sandbox, "accounts").json()["accounts"][0]["currentBalance"] == 0


def test_same_external_id__is_one_transaction(mercury_sandbox):
    first = mercury_sandbox.control("transactions", amount="5", externalId="po_1")
    again = mercury_sandbox.control("transactions", amount="5", externalId="po_1")

    assert first == again
    assert len(get(mercury_sandbox, "transactions").json()["transactions"]) == 1


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Basic !!", 401),
        (f"Bearer {MERCURY_TOKEN}", 200),
        (httpx.BasicAuth(MERCURY_TOKEN, "")._auth_header, 200),
    ],
)
def test_sign_in__takes_the_token_as_bearer_or_basic(mercury_sandbox, authorization, status):
    headers = {"Authorization": authorization} if authorization else {}

    answer = httpx.get(f"{mercury_sandbox.url}/api/v1/accounts", headers=headers, trust_env=False)

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("query", "status"),
    [({"limit": 0}, 400), ({"limit": 1001}, 400), ({"order": "up"}, 400), ({"start": "soon"}, 400),
     ({"start_after": "nobody"}, 400)],
)  # fmt: skip
def test_bad_query__is_refused(mercury_sandbox, query, status):
    assert get(mercury_sandbox, "transactions", **query).status_code == status


def test_faults__happen_as_often_as_asked(mercury_sandbox):
    mercury_sandbox.control("transactions", amount="5")
    mercury_sandbox.control("faults", fault="429", retryAfter=7, times=2)
    mercury_sandbox.control("faults", fault="missing_field", field="amount", path="transactions")

    answers = [get(mercury_sandbox, "transactions") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 429, 200, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert "amount" not in answers[2].json()["transactions"][0]
    assert answers[3].json()["transactions"][0]["amount"] == 5


def test_unknown__is_404(mercury_sandbox):
    assert get(mercury_sandbox, "account/nobody").status_code == 404
    assert get(mercury_sandbox, "cards").status_code == 404
