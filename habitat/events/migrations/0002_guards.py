"""The guards of the outbox: facts never change, deliveries keep to their states."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("events", "0001_initial"), ("members", "0002_guards")]
    operations: ClassVar = [sql_file(__file__, "0002_guards")]
