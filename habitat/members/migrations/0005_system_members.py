"""The cooperative's own three accounts, and the groups that the roles are."""

from typing import ClassVar

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# The names people see; the codes are policies.statuses.SystemAccount.
ACCOUNTS = (("techne", "Techne"), ("pool", "Pool"), ("watershed", "Watershed"))
ROLES = ("member", "steward", "operations", "admin")


def create(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    member = apps.get_model("members", "Member")
    for code, name in ACCOUNTS:
        if member.objects.filter(system_code=code).exists():
            continue
        row = member.objects.create(kind="system", system_code=code, display_name=name)
        # Born pending and admitted like everybody: the guard knows no exception.
        member.objects.filter(pk=row.pk).update(status="active")
    group = apps.get_model("auth", "Group")
    for role in ROLES:
        group.objects.get_or_create(name=role)


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("members", "0004_history_guards"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]
    # Members are never deleted, so going back leaves the rows.
    operations: ClassVar = [migrations.RunPython(create, migrations.RunPython.noop)]
