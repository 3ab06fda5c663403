"""The credit ledger's triggers and grants."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("cloud_credits", "0001_initial"), ("members", "0002_guards")]

    operations = [sql_file(__file__, "0002_guards")]
