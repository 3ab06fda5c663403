"""Service keys: a secret shown once and stored nowhere, doors by scope, an end that holds."""

import hashlib
import io
from datetime import timedelta
from typing import ClassVar

import psycopg
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from habitat.controls.actions import service_keys, settings
from habitat.controls.api.permissions import has_scope
from habitat.controls.errors import (
    ExpiryPast,
    KeyAlreadyRevoked,
    KeyNameRequired,
    ScopesRequired,
    ScopeUnknown,
)
from habitat.controls.models import KeyHistory, ServiceKey
from habitat.controls.reports.service_keys import actor_of
from habitat.errors import HabitatError, NotAllowed
from habitat.members.models import Member
from habitat.members.policies.actors import SYSTEM
from habitat.members.policies.roles import Role
from tests.members import people

pytestmark = pytest.mark.django_db


class MeterView(APIView):
    permission_classes: ClassVar = [has_scope("metering:write")]

    def get(self, request: Request) -> Response:
        return Response({"key": request.auth.name, "seen": Member.objects.visible_to(request.user).count()})


urlpatterns = [path("meter/", MeterView.as_view())]
with_door = override_settings(ROOT_URLCONF=__name__)


def made(*scopes: str, name: str = "compute") -> tuple[ServiceKey, str]:
    return service_keys.create(name=name, scopes=scopes or ("metering:write",), acting=SYSTEM)


def call(token: str | None) -> tuple[int, dict[str, object], str]:
    headers = {"Authorization": token} if token else {}
    with with_door:
        answer = Client().get("/meter/", headers=headers)
    return answer.status_code, answer.json(), answer.get("WWW-Authenticate", "")


def test_create__stores_only_the_hash() -> None:
    key, secret = made()
    row = ServiceKey.objects.get(pk=key.pk)
    spelled = secret.removeprefix(f"hbt_{key.prefix}_")
    assert len(spelled) == 43
    assert row.secret_hash == hashlib.sha256(spelled.encode()).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text FROM controls_servicekey k")
        assert spelled not in cursor.fetchone()[0]
        cursor.execute("SELECT row_to_json(h)::text FROM controls_keyhistory h")
        history = cursor.fetchone()[0]
    assert spelled not in history
    assert row.secret_hash not in history


def test_create__life_comes_from_the_setting() -> None:
    settings.change(key="controls.key_default_days", value="10", reason="short", acting=SYSTEM)
    key, _ = made()
    assert key.expires_at - key.created_at == timedelta(days=10)


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"name": "  "}, KeyNameRequired),
        ({"name": "x" * 101}, KeyNameRequired),
        ({"scopes": []}, ScopesRequired),
        ({"scopes": ["everything"]}, ScopeUnknown),
        ({"expires_at": timezone.now() - timedelta(days=1)}, ExpiryPast),
    ],
)
def test_create__refusal_writes_nothing(given: dict[str, object], refusal: type[HabitatError]) -> None:
    with pytest.raises(refusal):
        service_keys.create(**{"name": "n", "scopes": ["read"], "acting": SYSTEM} | given)  # type: ignore[arg-type]
    assert not ServiceKey.objects.exists()


def test_create__needs_the_permission() -> None:
    with pytest.raises(NotAllowed):
        service_keys.create(name="n", scopes=["read"], acting=people.acting_as(people.trusted(Role.OPERATIONS)))
    assert not ServiceKey.objects.exists()


def test_door__opens_for_the_right_key() -> None:
    _, secret = made()
    assert call(f"Bearer {secret}")[:2] == (200, {"key": "compute", "seen": 0})


def test_door__nobody_is_401() -> None:
    status, problem, challenge = call(None)
    assert (status, problem["code"], challenge) == (401, "not_authenticated", 'Bearer realm="Habitat"')


@pytest.mark.parametrize("spoil", [lambda s: s[:-1] + ("A" if s[-1] != "A" else "B"), lambda s: s[:10], lambda s: "x"])
def test_door__wrong_secret_is_401_and_tells_nothing(spoil: object) -> None:
    key, secret = made()
    service_keys.revoke(key=key, reason="leaked", acting=SYSTEM)
    status, problem, challenge = call(f"Bearer {spoil(secret)}")  # type: ignore[operator]
    assert (status, problem["code"]) == (401, "service_key_unknown")
    assert challenge == 'Bearer realm="Habitat"'


def test_door__unknown_prefix_is_401() -> None:
    _, secret = made()
    assert call(f"Bearer hbt_000000000000_{secret.rsplit('_', 1)[-1]:A<43}"[:70])[0] == 401


def test_door__revoked_is_401() -> None:
    key, secret = made()
    service_keys.revoke(key=key, reason="leaked", acting=SYSTEM)
    status, problem, _ = call(f"Bearer {secret}")
    assert (status, problem["code"]) == (401, "service_key_revoked")


def test_door__expired_is_401_from_the_very_moment() -> None:
    key, secret = made()
    with time_machine.travel(key.expires_at - timedelta(seconds=1), tick=False):
        assert call(f"Bearer {secret}")[0] == 200
    with time_machine.travel(key.expires_at, tick=False):
        status, problem, _ = call(f"Bearer {secret}")
    assert (status, problem["code"]) == (401, "service_key_expired")


def test_door__missing_scope_is_403() -> None:
    _, secret = made("read", "webhooks")
    status, problem, _ = call(f"Bearer {secret}")
    assert (status, problem["code"]) == (403, "missing_scope")
    assert problem["detail"] == "This key may not do that: it needs the scope “metering:write”."


def test_door__person_is_403() -> None:
    client = Client()
    client.force_login(people.active().user)
    with with_door:
        answer = client.get("/meter/")
    assert (answer.status_code, answer.json()["code"]) == (403, "service_key_required")


def test_use__is_noted_once_a_minute() -> None:
    key, secret = made()
    start = timezone.now()
    with time_machine.travel(start, tick=False):
        call(f"Bearer {secret}")
    assert ServiceKey.objects.get(pk=key.pk).last_used_at == start
    with time_machine.travel(start + timedelta(seconds=59), tick=False), CaptureQueriesContext(connection) as queries:
        call(f"Bearer {secret}")
    assert not [query for query in queries if "UPDATE" in query["sql"]]
    later = start + timedelta(seconds=60)
    with time_machine.travel(later, tick=False):
        call(f"Bearer {secret}")
    assert ServiceKey.objects.get(pk=key.pk).last_used_at == later
    assert KeyHistory.objects.filter(pgh_obj=key).count() == 1


@pytest.mark.django_db(transaction=True)
def test_use__does_not_wait_for_another_call(app_connection: psycopg.Connection) -> None:
    key, secret = made()
    with app_connection.transaction():
        app_connection.execute("SELECT 1 FROM controls_servicekey WHERE id = %s FOR NO KEY UPDATE", [key.pk])
        assert call(f"Bearer {secret}")[0] == 200
    assert ServiceKey.objects.get(pk=key.pk).last_used_at is None


def test_actor__may_what_its_scopes_say() -> None:
    key, _ = made("read")
    actor = actor_of(key)
    assert (actor.label, actor.may("read"), actor.may("metering:write")) == (f"service:{key.pk}", True, False)


def test_revoke__is_for_good_and_says_why() -> None:
    key, _ = made()
    administrator = people.trusted(Role.ADMIN)
    service_keys.revoke(key=key, reason="leaked", acting=people.acting_as(administrator))
    last = KeyHistory.objects.filter(pgh_obj=key).first()
    assert last is not None
    assert (last.revoke_reason, last.pgh_context["actor"]) == ("leaked", f"member:{administrator.pk}")
    with pytest.raises(KeyAlreadyRevoked):
        service_keys.revoke(key=key, reason="again", acting=SYSTEM)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "assignment", ["scopes = '{read}'", "expires_at = expires_at + interval '1 day'", "secret_hash = repeat('0', 64)"]
)
def test_key__never_changes(
    assignment: str, app_connection: psycopg.Connection, owner_connection: psycopg.Connection
) -> None:
    made()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute(f"UPDATE controls_servicekey SET {assignment}")
    with pytest.raises(psycopg.errors.CheckViolation):
        owner_connection.execute(f"UPDATE controls_servicekey SET {assignment}")


@pytest.mark.django_db(transaction=True)
def test_key__does_not_come_back(app_connection: psycopg.Connection) -> None:
    key, _ = made()
    service_keys.revoke(key=key, reason="leaked", acting=SYSTEM)
    with pytest.raises(psycopg.errors.CheckViolation, match="stays revoked"):
        app_connection.execute("UPDATE controls_servicekey SET revoked_at = NULL, revoked_by = ''")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute("DELETE FROM controls_servicekey")


def test_command__prints_a_working_secret() -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command(
        "create_api_key", "compute", "--scope", "metering:write", "--expires-days", "3", stdout=out, stderr=err
    )
    key = ServiceKey.objects.get()
    assert key.expires_at - key.created_at < timedelta(days=3, seconds=1)
    assert call(f"Bearer {out.getvalue().strip()}")[0] == 200
    with pytest.raises(CommandError, match="is not a scope"):
        call_command("create_api_key", "x", "--scope", "all", stdout=out, stderr=err)


def test_back_office__shows_the_secret_once() -> None:
    client = Client()
    client.force_login(people.trusted(Role.ADMIN).user)
    form = {"name": "compute", "scopes": ["read"], "verb_key": "k1"}
    answer = client.post("/admin/controls/servicekey/verb/create/", form)
    key = ServiceKey.objects.get()
    assert answer.status_code == 200
    assert f"hbt_{key.prefix}_" in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    again = client.post("/admin/controls/servicekey/verb/create/", form)
    assert again.status_code == 302
    assert ServiceKey.objects.count() == 1
    listing = client.get(f"/admin/controls/servicekey/{key.pk}/change/").content.decode()
    assert key.secret_hash not in listing
