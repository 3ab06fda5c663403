"""An invoice keeps what was sent, adds up, is numbered without a gap, and is paid by its own transfer."""

from typing import ClassVar

import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
import django.db.models.functions.math
import django_fsm
from django.db import migrations, models

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0019_purchase_guards"), ("members", "0002_guards")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="InvoiceChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("verb", models.CharField(max_length=16)),
                ("from_state", models.CharField(blank=True, max_length=10)),
                ("to_state", models.CharField(max_length=10)),
                ("reason", models.TextField(blank=True)),
                ("actor", models.CharField(max_length=64)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "ordering": ["id"],
            },
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "amount",
                        django.db.models.functions.math.Round(
                            django.db.models.expressions.CombinedExpression(
                                models.F("quantity"), "*", models.F("price")
                            ),
                            precision=8,
                        ),
                    )
                ),
                name="invoiceline_is_quantity_times_price",
                violation_error_message="A line is its quantity × price, half-up to eight decimals.",
            ),
        ),
        migrations.AddField(
            model_name="invoicechange",
            name="invoice",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="changes", to="cloud_credits.invoice"
            ),
        ),
        # The first state is the model's own: what the database returns of it, a protected field would not take.
        migrations.AlterField(
            model_name="invoice",
            name="state",
            field=django_fsm.FSMField(
                choices=[
                    ("draft", "draft"),
                    ("sent", "sent"),
                    ("overdue", "overdue"),
                    ("paid", "paid"),
                    ("void", "void"),
                    ("refunded", "refunded"),
                ],
                default="draft",
                max_length=50,
                protected=True,
            ),
        ),
        sql_file(__file__, "0020_invoice_guards"),
    ]
