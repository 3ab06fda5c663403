"""A wire may pay what its sender owes: the payment ends as `applied`."""

from typing import ClassVar

import django_fsm
from django.db import migrations, models

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("members", "0006_email_present"),
        ("treasury", "0019_stripe_mirror"),
    ]

    operations: ClassVar = [
        migrations.RemoveConstraint(
            model_name="payment",
            name="payment_state_known",
        ),
        migrations.AlterField(
            model_name="payment",
            name="state",
            field=django_fsm.FSMField(
                choices=[
                    ("received", "received"),
                    ("minted", "minted"),
                    ("refunding", "refunding"),
                    ("refunded", "refunded"),
                    ("applied", "applied"),
                ],
                default="received",
                max_length=50,
                protected=True,
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["received", "minted", "refunding", "refunded", "applied"])),
                name="payment_state_known",
            ),
        ),
        sql_file(__file__, "0020_payment_applied"),
    ]
