"""What the database itself refuses: see sql/0002_guards.sql and docs/design/guards.md."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0001_initial"), ("members", "0002_guards")]

    operations = [sql_file(__file__, "0002_guards")]
