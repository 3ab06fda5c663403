"""What the database itself refuses of reconciliation: see sql/0017_reconciliation_guards.sql."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0016_reconciliation"), ("members", "0002_guards")]

    operations = [sql_file(__file__, "0017_reconciliation_guards")]
