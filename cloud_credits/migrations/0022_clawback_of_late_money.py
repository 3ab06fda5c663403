"""Up to all that became credits may be taken back: see sql/0022_clawback_of_late_money.sql."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0021_receivable_payments"), ("treasury", "0022_late_money")]

    operations: ClassVar = [sql_file(__file__, "0022_clawback_of_late_money")]
