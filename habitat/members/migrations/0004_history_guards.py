"""History is append-only."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("members", "0003_history")]
    operations: ClassVar = [sql_file(__file__, "0004_history_guards")]
