"""The guard of balances costs a batch no more than its members; see sql/0032_balance_guard_at_scale.sql."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0031_metering_submissions")]
    operations: ClassVar = [sql_file(__file__, "0032_balance_guard_at_scale")]
