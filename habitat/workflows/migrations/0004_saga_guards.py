"""The guards of sagas: states keep to their edges, what is recorded or ended never changes, nothing is deleted."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows", "0003_sagas"), ("members", "0002_guards")]
    operations: ClassVar = [sql_file(__file__, "0004_saga_guards")]
