"""The suite's own database rules: rollback by default, a fresh clone after a test that commits, never a flush."""

import os
import subprocess
import sys
import threading

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import TestCase, TransactionTestCase

from habitat.local.cluster import CHECKOUT
from tests.database import migrations_mark

NAME = "a group only these tests make"


@pytest.mark.django_db
def test_database__default_connection_is_the_application_role_on_a_clone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        assert cursor.fetchone() == ("habitat_app", f"clone_{migrations_mark()}_{os.getpid()}")


@pytest.mark.django_db
@pytest.mark.parametrize("round_", [1, 2])
def test_rollback__leaves_nothing_behind(round_: int) -> None:
    assert not Group.objects.filter(name=NAME).exists()
    Group.objects.create(name=NAME)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", [1, 2])
def test_transaction__commits_and_leaves_nothing_behind(
    round_: int, owner_connection: psycopg.Connection, app_connection: psycopg.Connection
) -> None:
    assert not Group.objects.filter(name=NAME).exists()
    Group.objects.create(name=NAME)
    for other in (owner_connection, app_connection):
        assert other.execute("SELECT count(*) FROM auth_group WHERE name = %s", [NAME]).fetchone() == (1,)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", [1, 2])
def test_transaction__a_connection_left_open_by_a_thread_holds_nothing_up(round_: int) -> None:
    assert not Group.objects.filter(name=NAME).exists()
    held = threading.Thread(target=lambda: Group.objects.create(name=NAME))
    held.start()
    held.join()
    assert Group.objects.filter(name=NAME).exists()


@pytest.mark.parametrize("round_", [1, 2])
def test_owner_connection__commits_are_gone_after_the_test(round_: int, owner_connection: psycopg.Connection) -> None:
    owner_connection.execute("CREATE TABLE only_here (n int)")


@pytest.mark.django_db
def test_rollback__after_commits_starts_from_the_template() -> None:
    assert not Group.objects.filter(name=NAME).exists()


@pytest.mark.django_db(transaction=True)
def test_child_process__works_on_the_same_clone() -> None:
    Group.objects.create(name=NAME)
    script = (
        "import django; django.setup(); from django.contrib.auth.models import Group; "
        f"print(Group.objects.filter(name={NAME!r}).count())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True, env={**os.environ}
    )
    assert done.stdout.strip() == "1"


@pytest.mark.django_db(transaction=True, reset_sequences=True)
@pytest.mark.parametrize("round_", [1, 2])
def test_reset_sequences__begins_where_the_template_does(round_: int, owner_dsn: str) -> None:
    first = Group.objects.create(name=NAME)
    with psycopg.connect(owner_dsn) as fresh:
        assert fresh.execute("SELECT count(*) FROM auth_group WHERE id < %s", [first.pk]).fetchone() == (
            Group.objects.count() - 1,
        )


class PlainTransactionTest(TransactionTestCase):
    """Django's own classes go by the same rules."""

    def test_transaction_test_case__one(self) -> None:
        assert not Group.objects.filter(name=NAME).exists()
        Group.objects.create(name=NAME)

    def test_transaction_test_case__two(self) -> None:
        assert not Group.objects.filter(name=NAME).exists()
        Group.objects.create(name=NAME)


class PlainTest(TestCase):
    """Rollback by class."""

    @classmethod
    def setUpTestData(cls) -> None:
        cls.group = Group.objects.create(name=NAME)

    def test_test_case__one(self) -> None:
        assert Group.objects.get(name=NAME) == self.group
        Group.objects.all().delete()

    def test_test_case__two(self) -> None:
        assert Group.objects.get(name=NAME) == self.group
