"""What the database itself refuses about payments: see sql/0013_payment_guards.sql and docs/design/guards.md."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0012_payment_reclaim"), ("members", "0002_guards")]

    operations = [sql_file(__file__, "0013_payment_guards")]
