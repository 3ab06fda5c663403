"""The rows that were there before 0047 are held to it too: read once, with nobody kept waiting."""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0047_usage_before_redemption")]
    operations: ClassVar = [
        migrations.RunSQL(
            "ALTER TABLE cloud_credits_resourceusage"
            " VALIDATE CONSTRAINT usage_is_redemption, VALIDATE CONSTRAINT usage_is_redeemed",
            # What is valid stays so, until 0047 takes it away.
            migrations.RunSQL.noop,
        ),
    ]
