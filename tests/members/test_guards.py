"""What the database refuses on this floor, to the application and to the owner."""

import psycopg
import pytest

from habitat.members.models import Member, MemberHistory
from tests.members import people

pytestmark = pytest.mark.django_db(transaction=True)

HISTORIES = ["members_memberhistory", "members_userhistory", "members_rolehistory"]


@pytest.mark.parametrize("table", ["members_member", "members_user"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_people__are_never_deleted(
    table: str, statement: str, app_connection: psycopg.Connection, owner_connection: psycopg.Connection
) -> None:
    people.active()
    members = Member.objects.count()
    for connection in (app_connection, owner_connection):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation)):
            connection.execute(statement.format(table))
    assert Member.objects.count() == members


@pytest.mark.parametrize("table", HISTORIES)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "TRUNCATE {}", "UPDATE {} SET pgh_label = 'forged'"])
def test_history__is_append_only(
    table: str, statement: str, app_connection: psycopg.Connection, owner_connection: psycopg.Connection
) -> None:
    people.active()
    rows = MemberHistory.objects.count()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app_connection.execute(statement.format(table))
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner_connection.execute(statement.format(table))
    assert MemberHistory.objects.count() == rows
    assert not MemberHistory.objects.filter(pgh_label="forged").exists()


def test_state__owner_is_stopped_too(owner_connection: psycopg.Connection) -> None:
    member = people.pending()
    with pytest.raises(psycopg.errors.CheckViolation, match="cannot go from pending to expelled"):
        owner_connection.execute("UPDATE members_member SET status = 'expelled' WHERE id = %s", [member.pk])
    assert Member.objects.get(pk=member.pk).status == "pending"


def test_superuser__cannot_exist(app_connection: psycopg.Connection) -> None:
    member = people.active()
    with pytest.raises(psycopg.errors.CheckViolation, match="user_never_superuser"):
        app_connection.execute("UPDATE members_user SET is_superuser = true WHERE id = %s", [member.user_id])


def test_address__cannot_be_blanked(app_connection: psycopg.Connection) -> None:
    member = people.active()
    with pytest.raises(psycopg.errors.CheckViolation, match="user_email_present"):
        app_connection.execute("UPDATE members_user SET email = '' WHERE id = %s", [member.user_id])
