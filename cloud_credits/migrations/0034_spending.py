"""Members' own limits on metered usage, and when a low balance is told; guards: sql/0034_spending.sql."""

from decimal import Decimal
from typing import ClassVar

import django.db.models.deletion
from django.db import migrations, models

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0033_usage_margin"), ("members", "0006_email_present")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="LowBalanceWarning",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="low_balance",
                        serialize=False,
                        to="members.member",
                    ),
                ),
                (
                    "threshold",
                    models.DecimalField(decimal_places=8, max_digits=20, null=True, verbose_name="tell below, CLOUD"),
                ),
                ("is_below", models.BooleanField(default=False)),
                ("set_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "low-balance warning",
            },
        ),
        migrations.CreateModel(
            name="SpendCap",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="spend_cap",
                        serialize=False,
                        to="members.member",
                    ),
                ),
                (
                    "monthly_cap",
                    models.DecimalField(decimal_places=8, max_digits=20, null=True, verbose_name="cap a month, CLOUD"),
                ),
                ("month", models.DateField(verbose_name="month counted")),
                (
                    "spent",
                    models.DecimalField(
                        decimal_places=8, default=Decimal("0"), max_digits=20, verbose_name="spent in it, CLOUD"
                    ),
                ),
                ("told_for", models.DateField(null=True)),
                ("set_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "spend cap",
            },
        ),
        migrations.AddConstraint(
            model_name="lowbalancewarning",
            constraint=models.CheckConstraint(
                condition=models.Q(("threshold__isnull", True), ("threshold__gt", 0), _connector="OR"),
                name="low_balance_positive",
                violation_error_message="A threshold is more than zero; leave it empty for none.",
            ),
        ),
        migrations.AddConstraint(
            model_name="lowbalancewarning",
            constraint=models.CheckConstraint(
                condition=models.Q(("is_below", False), ("threshold__isnull", False), _connector="OR"),
                name="low_balance_below_something",
            ),
        ),
        migrations.AddConstraint(
            model_name="spendcap",
            constraint=models.CheckConstraint(
                condition=models.Q(("monthly_cap__isnull", True), ("monthly_cap__gt", 0), _connector="OR"),
                name="spend_cap_positive",
                violation_error_message="A cap is more than zero; leave it empty for none.",
            ),
        ),
        migrations.AddConstraint(
            model_name="spendcap",
            constraint=models.CheckConstraint(
                condition=models.Q(("spent__gte", 0)), name="spend_cap_spent_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="spendcap",
            constraint=models.CheckConstraint(condition=models.Q(("month__day", 1)), name="spend_cap_month_first_day"),
        ),
        sql_file(__file__, "0034_spending"),
    ]
