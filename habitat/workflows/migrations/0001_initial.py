"""The tables of this floor."""

from typing import ClassVar

import django.db.models.functions.datetime
import django_fsm
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies: ClassVar = []

    operations: ClassVar = [
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("due_at", models.DateTimeField()),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("due", "due"), ("running", "running"), ("done", "done"), ("failed", "failed")],
                        db_default="due",
                        default="due",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(db_default=0)),
                ("take_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("lease_until", models.DateTimeField(null=True)),
                ("fence", models.PositiveIntegerField(db_default=0)),
                ("error", models.CharField(blank=True, db_default="", max_length=500)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-due_at", "name"],
                "permissions": [("run_job", "Can run jobs again")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ("due", "running"))), fields=["take_at", "id"], name="job_open"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("name", "due_at"), name="job_once_a_slot"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["due", "running", "done", "failed"])), name="job_state_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lease_until__isnull", False), ("state", "running")),
                            models.Q(models.Q(("state", "running"), _negated=True), ("lease_until__isnull", True)),
                            _connector="OR",
                        ),
                        name="job_leased_while_running",
                    ),
                ],
            },
        ),
    ]
