"""Deliveries that a newer one supersedes, and the trimming of what was finished long ago."""

from typing import ClassVar

import django_fsm
from django.db import migrations, models

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("notifications", "0004_webhook_guards")]
    operations: ClassVar = [
        migrations.AddField(
            model_name="webhookdelivery",
            name="about",
            field=models.CharField(blank=True, db_default="", max_length=125),
        ),
        migrations.AddField(
            model_name="webhookdelivery",
            name="sequence",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name="webhookdelivery",
            name="state",
            field=django_fsm.FSMField(
                choices=[
                    ("pending", "pending"),
                    ("sending", "sending"),
                    ("delivered", "delivered"),
                    ("dead", "dead"),
                    ("superseded", "superseded"),
                ],
                db_default="pending",
                default="pending",
                max_length=50,
                protected=True,
            ),
        ),
        migrations.RemoveConstraint(model_name="webhookdelivery", name="webhook_delivery_state_known"),
        migrations.AddConstraint(
            model_name="webhookdelivery",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["pending", "sending", "delivered", "dead", "superseded"])),
                name="webhook_delivery_state_known",
            ),
        ),
        migrations.AddIndex(
            model_name="webhookdelivery",
            index=models.Index(
                condition=models.Q(("sequence__isnull", False), ("state", "pending")),
                fields=["about", "endpoint"],
                name="webhook_delivery_newest",
            ),
        ),
        sql_file(__file__, "0005_webhook_upkeep"),
    ]
