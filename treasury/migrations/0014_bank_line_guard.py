"""The guards of bank lines and matches judge what stands at commit; see sql/0014_bank_line_guard.sql."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0013_payment_guards")]

    operations = [sql_file(__file__, "0014_bank_line_guard")]
