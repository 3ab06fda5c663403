"""The guard of bank lines judges a line that has no version yet; see sql/0012_bank_line_guard.sql."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0011_bank_guards")]

    operations = [sql_file(__file__, "0012_bank_line_guard")]
