"""What people decided about a saga is only ever added to."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("workflows", "0005_saga_decisions")]
    operations: ClassVar = [sql_file(__file__, "0006_saga_decision_guards")]
