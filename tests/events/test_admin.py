"""The back office of events, jobs and e-mails: read by operations, changed only by verbs with a reason."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from habitat.events.actions.outbox import emit
from habitat.events.models import Delivery, Event
from habitat.events.policies.roles import PERMISSIONS as EVENTS
from habitat.events.workflows import queue
from habitat.members.actions import members, roles
from habitat.members.models import User
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import PERMISSIONS as MEMBERS
from habitat.members.policies.roles import Role
from habitat.notifications.models import Email
from habitat.notifications.policies.roles import PERMISSIONS as NOTIFICATIONS
from habitat.workflows.actions import jobs
from habitat.workflows.models import Job
from habitat.workflows.policies.roles import PERMISSIONS as WORKFLOWS
from tests.events.facts import BellRang, heard_by
from tests.events.test_deliveries import make_due
from tests.members import people
from tests.notifications.test_notify import tell

pytestmark = pytest.mark.django_db


def client_of(role: Role) -> Client:
    roles.sync({each: (*MEMBERS[each], *EVENTS[each], *WORKFLOWS[each], *NOTIFICATIONS[each]) for each in Role})
    member = people.active("Olga")
    members.grant_role(member=member, role=role, reason="elected", acting=SYSTEM)
    client = Client()
    client.force_login(User.objects.get(pk=member.user_id))
    return client


def key_of(page: str) -> str:
    found = re.search(r'name="verb_key" value="([^"]+)"', page)
    assert found is not None, page[:3000]
    return found[1]


def broken(event) -> None:
    raise RuntimeError("down")


def dead_delivery() -> Delivery:
    with heard_by("notifications", broken):
        emit(BellRang(amount="1"), acting=SYSTEM)
        for _ in range(8):
            make_due()
            queue.drain("deliveries")
    return Delivery.objects.get(subscriber="notifications")


def test_operations__reads_everything_and_writes_nothing() -> None:
    client = client_of(Role.OPERATIONS)
    tell(people.active("Ada"), emit(BellRang(amount="1"), acting=SYSTEM)[0])
    jobs.insert_due(now=timezone.now(), acting=SYSTEM)
    queue.drain("deliveries")
    for path, model in (
        ("events/event", Event),
        ("events/delivery", Delivery),
        ("workflows/job", Job),
        ("notifications/email", Email),
    ):
        assert client.get(f"/admin/{path}/").status_code == 200, path
        row = model.objects.first()
        assert row is not None
        assert client.get(f"/admin/{path}/{row.pk}/change/").status_code == 200, path
        assert client.post(f"/admin/{path}/{row.pk}/change/", {}).status_code == 403, path
        assert client.post(f"/admin/{path}/{row.pk}/delete/", {"post": "yes"}).status_code in (403, 404), path
        assert client.post(f"/admin/{path}/add/", {}).status_code in (403, 404), path
    assert client.get("/admin/events/eventcount/").status_code == 200
    assert client.get("/admin/events/event/?name=bell.rang").status_code == 200


def test_steward__sees_none_of_it() -> None:
    client = client_of(Role.STEWARD)
    for path in ("events/event", "events/delivery", "workflows/job", "notifications/email"):
        assert client.get(f"/admin/{path}/").status_code in (302, 403), path


def test_replay__by_post_with_a_reason() -> None:
    dead = dead_delivery()
    client = client_of(Role.OPERATIONS)
    page = f"/admin/events/delivery/{dead.pk}/change/"
    verb = f"/admin/events/delivery/{dead.pk}/verb/replay/"
    assert client.get(verb).status_code == 405
    key = key_of(client.get(page).content.decode())
    assert client.post(verb, {"verb_key": key, "reason": " "}).status_code == 422
    assert Delivery.objects.get(pk=dead.pk).state == "dead"
    assert client.post(verb, {"verb_key": key, "reason": "paper is back"}).status_code == 302
    assert Delivery.objects.get(pk=dead.pk).state == "pending"


def test_replay_all__of_one_subscriber() -> None:
    dead = dead_delivery()
    client = client_of(Role.OPERATIONS)
    key = key_of(client.get("/admin/events/delivery/").content.decode())
    answer = client.post(
        "/admin/events/delivery/verb/replay-all/",
        {"verb_key": key, "reason": "paper is back", "subscriber": "notifications"},
    )
    assert answer.status_code == 302
    assert Delivery.objects.get(pk=dead.pk).state == "pending"
