"""A top-up that stopped goes on only by its member's hand: see sql/0036_top_up_guards.sql."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0035_top_ups"), ("members", "0002_guards")]
    operations: ClassVar = [sql_file(__file__, "0036_top_up_guards")]
