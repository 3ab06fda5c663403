"""Sagas in the back office: read by stewards, changed by operations, by POST and with a reason."""

from collections.abc import Iterator

import pytest

from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from habitat.workflows.actions import sagas
from habitat.workflows.models import Execution
from habitat.workflows.workflows.sagas import advance
from tests.events.test_admin import client_of, key_of
from tests.workflows.toy import CAKE, Bakery, known

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def cake() -> Iterator[None]:
    with known(CAKE):
        yield


@pytest.fixture
def bakery(tmp_path) -> Bakery:
    return Bakery(tmp_path)


def ordered(bakery: Bakery, key: str = "order-1") -> Execution:
    given = {"home": str(bakery.file.parent), "cake": "plum <b>"}
    return sagas.start(saga="cake", key=key, input=given, acting=SYSTEM)


def page_of(execution: Execution) -> str:
    return f"/admin/workflows/execution/{execution.pk}/change/"


def press(client, execution: Execution, verb: str, **form):
    key = key_of(client.get(page_of(execution)).content.decode())
    path = f"/admin/workflows/execution/{execution.pk}/verb/{verb}/"
    assert client.get(path).status_code == 405
    return client.post(path, {"verb_key": key, **form})


def test_page__shows_every_step_with_what_went_in_and_came_out(bakery) -> None:
    bakery.goes_wrong("taste", "lost")
    execution = advance(ordered(bakery).pk)
    for role in (Role.STEWARD, Role.OPERATIONS):
        page = client_of(role).get(page_of(execution)).content.decode()
        for shown in ("cake:order-1:order:forward", "receipt", "Lost: lost", "calling", "recorded", "plum &lt;b&gt;"):
            assert shown in page, shown
        assert ("/verb/compensate/" in page) == (role is Role.OPERATIONS)


def test_list__filters_by_state_and_saga(bakery) -> None:
    advance(ordered(bakery).pk)
    ordered(bakery, key="order-2")
    client = client_of(Role.STEWARD)
    page = client.get("/admin/workflows/execution/?state=waiting&saga=cake").content.decode()
    assert "order-1" in page
    assert "order-2" not in page
    assert "order-2" in client.get("/admin/workflows/execution/?q=order-2").content.decode()


def test_steward__changes_nothing(bakery) -> None:
    execution = ordered(bakery)
    client = client_of(Role.STEWARD)
    for verb in ("retry", "signal", "compensate", "cancel"):
        path = f"/admin/workflows/execution/{execution.pk}/verb/{verb}/"
        assert client.post(path, {"verb_key": "k", "reason": "mine", "name": "baked"}).status_code == 403
    assert Execution.objects.get().state == "running"


def test_signal__needs_a_reason_and_an_object(bakery) -> None:
    execution = advance(ordered(bakery).pk)
    client = client_of(Role.OPERATIONS)
    assert press(client, execution, "signal", name="baked", reason=" ").status_code == 422
    assert press(client, execution, "signal", name="baked", payload="[1]", reason="smells so").status_code == 422
    assert Execution.objects.get().state == "waiting"
    answer = press(client, execution, "signal", name="baked", payload='{"at": "noon"}', reason="smells so")
    assert answer.status_code == 302
    found = Execution.objects.get()
    assert (found.state, found.signals) == ("running", {"baked": {"at": "noon"}})
    assert [(told["verb"], told["name"], told["reason"]) for told in found.decisions] == [
        ("signal", "Olga", "smells so")
    ]
    assert "smells so" in client.get(page_of(execution)).content.decode()


def test_retry_compensate_cancel__by_post_with_a_reason(bakery) -> None:
    bakery.goes_wrong("taste", "lost")
    execution, untouched = advance(ordered(bakery).pk), ordered(bakery, key="order-2")
    client = client_of(Role.OPERATIONS)
    assert press(client, execution, "cancel", reason="no guests").status_code == 409
    assert press(client, untouched, "cancel", reason="no guests").status_code == 302
    assert press(client, execution, "retry", reason="they answer again").status_code == 302
    assert press(client, execution, "compensate", reason="no guests").status_code == 302
    assert advance(execution.pk).state == "compensated"
    assert [told["verb"] for told in Execution.objects.get(pk=execution.pk).decisions] == ["retry", "compensate"]
    assert Execution.objects.get(pk=untouched.pk).state == "cancelled"
