"""What the application may write of dj-stripe's tables: see sql/0019_stripe_mirror.sql."""

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies = [("treasury", "0018_trace_index"), ("djstripe", "0003_2_11")]

    operations = [sql_file(__file__, "0019_stripe_mirror")]
