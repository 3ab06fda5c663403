"""Wires that paid a debt; see sql/0021_receivable_payments.sql."""

from typing import ClassVar

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("cloud_credits", "0020_invoice_guards"),
        ("treasury", "0020_payment_applied"),
    ]

    operations: ClassVar = [
        migrations.AlterModelOptions(
            name="receivable",
            options={
                "permissions": [
                    ("settle_receivable", "Can settle debts from members' liquid credits, and record what paid them"),
                    ("write_off_receivable", "Can ask and decide that a debt is written off"),
                ]
            },
        ),
        migrations.AlterModelOptions(
            name="purchase",
            options={
                "ordering": ["-id"],
                "permissions": [
                    ("buy_for_members", "Can begin purchases in members' names"),
                    ("expire_purchase", "Can close a checkout that nobody paid"),
                    ("mint_payment", "Can have waiting payments minted now, and send back what cannot be minted"),
                ],
            },
        ),
        migrations.CreateModel(
            name="ReceivablePayment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.DecimalField(decimal_places=8, max_digits=20)),
                ("reason", models.CharField(max_length=500)),
                ("acting", models.CharField(max_length=64)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "journal_entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="receivable_payment",
                        to="treasury.journalentry",
                    ),
                ),
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="debt_paid", to="treasury.payment"
                    ),
                ),
                (
                    "receivable",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="payments",
                        to="cloud_credits.receivable",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0)), name="receivablepayment_amount_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("reason__regex", "\\S")), name="receivablepayment_has_reason"
                    ),
                ],
            },
        ),
        sql_file(__file__, "0021_receivable_payments"),
    ]
