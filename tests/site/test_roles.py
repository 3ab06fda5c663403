"""Roles after a migration: exactly what the floors list, whoever changed what in between."""

import pytest
from django.contrib.auth.models import Group, Permission

from habitat.members.policies.roles import Role
from habitat.site.reports.floors import exported
from habitat.site.workflows.roles import grants, sync_after_migrate

pytestmark = pytest.mark.django_db


def _held(role: Role) -> set[str]:
    names = Group.objects.get(name=role.value).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in names}


def test_migrate__leaves_each_role_with_what_the_floors_list():
    assert {role: _held(role) for role in Role} == {role: set(names) for role, names in grants().items()}


def test_grants__leave_no_floor_out():
    listed = {
        name
        for _floor, lists in exported("policies.roles", "PERMISSIONS")
        for names in lists.values()
        for name in names
    }

    assert {name for names in grants().values() for name in names} == listed


def test_sync__takes_away_what_nobody_listed_and_gives_back_what_was_taken():
    operations = Group.objects.get(name="operations")
    operations.permissions.add(Permission.objects.get(codename="delete_member"))
    operations.permissions.remove(Permission.objects.get(codename="mint_credits"))

    sync_after_migrate()

    assert _held(Role.OPERATIONS) == set(grants()[Role.OPERATIONS])


def test_sync__twice_changes_nothing():
    through = Group.permissions.through.objects
    before = list(through.order_by("id").values_list("id", flat=True))

    sync_after_migrate()

    assert list(through.order_by("id").values_list("id", flat=True)) == before


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        (Role.MEMBER, "cloud_credits.view_ratecard", "cloud_credits.view_cloudbalance"),
        (Role.STEWARD, "cloud_credits.view_cloudtransaction", "cloud_credits.mint_credits"),
        (Role.OPERATIONS, "cloud_credits.approve_mint", "members.manage_roles"),
        (Role.ADMIN, "members.manage_roles", "members.delete_member"),
    ],
)
def test_role__may_and_may_not(role, may, may_not):
    assert may in _held(role)
    assert may_not not in _held(role)


def test_no_role__may_add_change_or_delete_ledger_rows():
    ledger = ("cloudbalance", "cloudtransaction", "journalentry", "journalline", "chainblock", "event", "resourceusage")
    forbidden = {f"{verb}_{model}" for verb in ("add", "change", "delete") for model in ledger}

    assert not {name.partition(".")[2] for role in Role for name in _held(role)} & forbidden


def test_unmigrated_database__is_left_alone(monkeypatch):
    """Half-way through a migration some permissions do not exist yet."""
    from django.db.migrations.executor import MigrationExecutor

    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda self, targets: [object()])
    Group.objects.get(name="member").permissions.clear()

    sync_after_migrate()

    assert _held(Role.MEMBER) == set()
