"""The guards of bank lines and matches judge what stands at commit; see sql/0013_bank_line_guard.sql."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0012_payment_reclaim")]

    operations = [sql_file(__file__, "0013_bank_line_guard")]
