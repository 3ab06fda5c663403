"""What the database itself refuses about the bank: see sql/0011_bank_guards.sql and docs/design/guards.md."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0010_bank"), ("members", "0002_guards")]

    operations = [sql_file(__file__, "0011_bank_guards")]
