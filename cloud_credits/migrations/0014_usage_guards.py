"""Usage is insert-only, and is always a redemption at the price of its day."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0013_usage"), ("members", "0002_guards")]
    operations: ClassVar = [sql_file(__file__, "0014_usage_guards")]
