"""The permission to read what usage brought in and what it cost."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("cloud_credits", "0032_balance_guard_at_scale")]

    operations = [
        migrations.AlterModelOptions(
            name="resourceusage",
            options={
                "ordering": ["-metered_at", "-id"],
                "permissions": [
                    ("admit_late_usage", "Can ask for and agree to usage older than 35 days"),
                    ("view_usage_margin", "Can read what usage brought in and what it cost"),
                ],
                "verbose_name": "usage",
                "verbose_name_plural": "usage",
            },
        ),
    ]
