"""Automatic top-ups, and the purchases they make, one at a time a member."""

from typing import ClassVar

import django.db.models.deletion
import django_fsm
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0034_spending"), ("members", "0006_email_present")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="TopUp",
            fields=[
                (
                    "member",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="top_up",
                        serialize=False,
                        to="members.member",
                    ),
                ),
                ("threshold", models.DecimalField(decimal_places=8, max_digits=20, verbose_name="below, CLOUD")),
                ("amount", models.DecimalField(decimal_places=8, max_digits=20, verbose_name="buys, CLOUD")),
                ("method_id", models.CharField(max_length=120, verbose_name="card at Stripe")),
                ("customer_id", models.CharField(max_length=120)),
                ("card", models.CharField(max_length=60)),
                ("most_a_day", models.PositiveSmallIntegerField()),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("off", "off"), ("on", "on"), ("stopped", "stopped")],
                        default="off",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("because", models.CharField(blank=True, default="", max_length=300, verbose_name="why it stopped")),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "automatic top-up",
                "ordering": ["-changed_at"],
            },
            bases=(django_fsm.FSMModelMixin, models.Model),
        ),
        migrations.RemoveConstraint(
            model_name="purchase",
            name="purchase_kind_known",
        ),
        migrations.AlterField(
            model_name="purchase",
            name="kind",
            field=models.CharField(
                choices=[("once", "once"), ("recurring", "recurring"), ("invoice", "invoice"), ("topup", "topup")],
                max_length=9,
            ),
        ),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["once", "recurring", "invoice", "topup"])), name="purchase_kind_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="purchase",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "topup"), ("state", "created")),
                fields=("member",),
                name="purchase_one_top_up",
                violation_error_message="An automatic top-up is under way already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["off", "on", "stopped"])), name="top_up_state_known"
            ),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0), ("most_a_day__gt", 0), ("threshold__gt", 0)),
                name="top_up_positive",
            ),
        ),
        migrations.AddConstraint(
            model_name="topup",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "stopped"), _negated=True),
                    models.Q(("because", ""), _negated=True),
                    _connector="OR",
                ),
                name="top_up_stopped_says_why",
            ),
        ),
    ]
