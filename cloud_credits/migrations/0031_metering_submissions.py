"""Usage that services leave for later; see sql/0031_metering_submissions.sql."""

from typing import ClassVar

import django.db.models.deletion
import django.db.models.expressions
import django_fsm
from django.db import migrations, models

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [
        ("cloud_credits", "0030_metering_stage"),
        ("controls", "0004_history_guards"),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name="MeteringSubmission",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("form", models.CharField(choices=[("json", "json"), ("ndjson", "ndjson")], max_length=8)),
                ("body", models.BinaryField()),
                ("events", models.PositiveIntegerField()),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("queued", "queued"), ("done", "done")],
                        default="queued",
                        max_length=50,
                        protected=True,
                    ),
                ),
                ("received_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("done_at", models.DateTimeField(null=True)),
                ("accepted", models.PositiveIntegerField(null=True)),
                ("duplicates", models.PositiveIntegerField(null=True)),
                ("conflicts", models.PositiveIntegerField(null=True)),
                ("rejected", models.PositiveIntegerField(null=True)),
                ("answers", models.TextField(blank=True, default="")),
                (
                    "service_key",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="controls.servicekey",
                    ),
                ),
            ],
            options={
                "verbose_name": "queued usage",
                "verbose_name_plural": "queued usage",
                "ordering": ["-id"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "queued")), fields=["due_at", "id"], name="submission_due"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("accepted__isnull", True), ("done_at__isnull", True), ("state", "queued")),
                            models.Q(
                                ("done_at__isnull", False),
                                (
                                    "events",
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            django.db.models.expressions.CombinedExpression(
                                                models.F("accepted"), "+", models.F("duplicates")
                                            ),
                                            "+",
                                            models.F("conflicts"),
                                        ),
                                        "+",
                                        models.F("rejected"),
                                    ),
                                ),
                                ("state", "done"),
                            ),
                            _connector="OR",
                        ),
                        name="submission_done_whole",
                        violation_error_message="What is done has answered every event.",
                    )
                ],
            },
        ),
        sql_file(__file__, "0031_metering_submissions"),
    ]
