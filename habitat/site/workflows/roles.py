"""After every migration the four roles hold exactly what the floors list for them."""

from typing import Any, Final

from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from cloud_credits.policies import roles as cloud_credits_roles
from habitat.controls.policies import roles as controls_roles
from habitat.events.policies import roles as events_roles
from habitat.members.actions.roles import sync
from habitat.members.policies import roles as members_roles
from habitat.members.policies.roles import Role
from habitat.notifications.policies import roles as notifications_roles
from habitat.workflows.policies import roles as workflows_roles
from treasury.policies import roles as treasury_roles

# Named one by one: the suite's template database is built anew when one of these modules changes.
FLOORS: Final = (
    members_roles,
    controls_roles,
    events_roles,
    workflows_roles,
    notifications_roles,
    treasury_roles,
    cloud_credits_roles,
)


def grants() -> dict[Role, tuple[str, ...]]:
    """Every floor's `policies/roles.py: PERMISSIONS`, by role."""
    return {role: tuple(name for floor in FLOORS for name in floor.PERMISSIONS[role]) for role in Role}


def sync_after_migrate(*, using: str = "default", **_: Any) -> None:
    """Receiver of `post_migrate`, as the roof's: makes the groups what the lists say, and takes away the rest.

    Half-migrated databases are left alone: permissions of tables to come do not exist yet.
    """
    executor = MigrationExecutor(connections[using])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return
    for config in installed.get_app_configs():
        create_permissions(config, verbosity=0, interactive=False, using=using)
    sync(grants())
