"""Rate cards keep their word: states move along edges, what was proposed is frozen, nothing is deleted."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0011_rate_card_v1"), ("members", "0002_guards")]
    operations: ClassVar = [sql_file(__file__, "0012_rate_card_guards")]
