"""A self-metering charge is charged once and never changes."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0015_self_metering"), ("members", "0002_guards")]
    operations: ClassVar = [sql_file(__file__, "0016_self_metering_guards")]
