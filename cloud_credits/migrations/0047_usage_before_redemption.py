"""Usage may come before its redemption within one transaction; see sql/0047_usage_before_redemption.sql."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models.deletion import PROTECT

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0046_ledger_rows_as_charged")]
    operations: ClassVar = [
        migrations.AlterField(
            model_name="resourceusage",
            name="transaction",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=PROTECT,
                related_name="resource_usage",
                to="cloud_credits.cloudtransaction",
            ),
        ),
        sql_file(__file__, "0047_usage_before_redemption"),
    ]
