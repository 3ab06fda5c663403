"""The tables of this floor."""

from typing import ClassVar

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
import django_fsm
from django.db import migrations, models

import habitat.faces.fields


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("payload", models.JSONField()),
                ("actor", models.CharField(max_length=40)),
                ("occurred_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "transaction",
                    habitat.faces.fields.TransactionIdField(db_default=habitat.faces.fields.CurrentTransaction()),
                ),
                (
                    "subscribers",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), size=None),
                ),
            ],
            options={
                "ordering": ["-id"],
            },
        ),
        migrations.CreateModel(
            name="EventCount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("name", models.CharField(max_length=80)),
                ("count", models.PositiveBigIntegerField(default=0)),
            ],
            options={
                "ordering": ["-day", "name"],
                "constraints": [models.UniqueConstraint(fields=("day", "name"), name="event_count_once_a_day")],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "subscriber",
                    models.CharField(
                        choices=[
                            ("notifications", "notifications"),
                            ("treasury", "treasury"),
                            ("sync", "sync"),
                            ("analytics", "analytics"),
                        ],
                        max_length=16,
                    ),
                ),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[
                            ("pending", "pending"),
                            ("delivering", "delivering"),
                            ("delivered", "delivered"),
                            ("dead", "dead"),
                        ],
                        db_default="pending",
                        default="pending",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(db_default=0)),
                ("due_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_until", models.DateTimeField(null=True)),
                ("fence", models.PositiveIntegerField(db_default=0)),
                ("error", models.CharField(blank=True, db_default="", max_length=500)),
                (
                    "event",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="events.event",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "ordering": ["-id"],
                "permissions": [("replay_delivery", "Can replay dead deliveries")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("pending", "delivering"))),
                        fields=["subscriber", "due_at", "id"],
                        name="delivery_open",
                    ),
                    models.Index(
                        condition=models.Q(("state", "dead")), fields=["subscriber", "id"], name="delivery_dead"
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("event", "subscriber"), name="delivery_once_per_subscriber"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["pending", "delivering", "delivered", "dead"])),
                        name="delivery_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("subscriber__in", ["notifications", "treasury", "sync", "analytics"])),
                        name="delivery_subscriber_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lease_until__isnull", False), ("state", "delivering")),
                            models.Q(models.Q(("state", "delivering"), _negated=True), ("lease_until__isnull", True)),
                            _connector="OR",
                        ),
                        name="delivery_leased_while_delivering",
                    ),
                ],
            },
        ),
    ]
