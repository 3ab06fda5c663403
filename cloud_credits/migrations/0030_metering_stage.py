"""Where a batch of usage waits inside its own transaction; see sql/0030_metering_stage.sql."""

from typing import ClassVar

from django.db import migrations, models

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0029_governance_guards")]

    operations: ClassVar = [
        migrations.CreateModel(
            name="MeteringStage",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("event_id", models.TextField(null=True)),
                ("member_id", models.BigIntegerField(null=True)),
                ("primitive", models.TextField(null=True)),
                ("quantity", models.DecimalField(decimal_places=6, max_digits=18, null=True)),
                ("unit", models.TextField(null=True)),
                ("service_name", models.TextField(null=True)),
                ("said_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("received_at", models.DateTimeField(null=True)),
            ],
            options={"default_permissions": ()},
        ),
        sql_file(__file__, "0030_metering_stage"),
    ]
