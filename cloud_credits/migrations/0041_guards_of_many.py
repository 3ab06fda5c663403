"""The guards of ledger rows and usage ask their questions of all rows at once; see sql/0041_guards_of_many.sql."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0040_opening_before_midnight")]
    operations: ClassVar = [sql_file(__file__, "0041_guards_of_many")]
