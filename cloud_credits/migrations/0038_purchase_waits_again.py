"""A purchase whose refund failed before the mint waits for its credits again."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0037_priced_stage")]
    operations: ClassVar = [sql_file(__file__, "0038_purchase_waits_again")]
