"""A member whose customer was deleted at Stripe gets another: the newest row counts."""

from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0023_refund_guards"), ("members", "0005_system_members")]
    operations: ClassVar = [
        migrations.AlterField(
            model_name="billingcustomer",
            name="member",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="billing_customers", to="members.member"
            ),
        )
    ]
