"""The generic guards every floor uses, and those of members and sign-ins."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("members", "0001_initial")]
    operations: ClassVar = [sql_file(__file__, "0002_guards")]
