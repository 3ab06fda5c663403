"""What must be taken back in credits may grow after it was decided: see sql/0021_reclaim_grows.sql."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0020_payment_applied")]

    operations = [sql_file(__file__, "0021_reclaim_grows")]
