"""A staged event carries its price and digest; see sql/0037_priced_stage.sql."""

from typing import ClassVar

from django.db import migrations, models

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0036_top_up_guards")]

    operations: ClassVar = [
        migrations.AddField("meteringstage", "card_id", models.BigIntegerField(null=True)),
        migrations.AddField("meteringstage", "version", models.IntegerField(null=True)),
        migrations.AddField("meteringstage", "rate", models.DecimalField(decimal_places=8, max_digits=12, null=True)),
        migrations.AddField("meteringstage", "cost", models.DecimalField(decimal_places=8, max_digits=30, null=True)),
        migrations.AddField("meteringstage", "digest", models.BinaryField(null=True)),
        migrations.AddField("meteringstage", "description", models.TextField(null=True)),
        sql_file(__file__, "0037_priced_stage"),
    ]
