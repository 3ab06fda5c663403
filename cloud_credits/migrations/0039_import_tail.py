"""An import remembers what stood before its mark, so that another file of the same header is not taken for a longer one."""

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0038_purchase_waits_again")]

    operations: ClassVar = [
        migrations.AddField("usageimport", "tail", models.BinaryField(max_length=32, null=True)),
    ]
