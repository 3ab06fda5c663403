"""A member's cap and their automatic top-up hold in the database too: see sql/0044_spending_rules.sql."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0043_rules_in_the_database"), ("members", "0007_clock")]
    operations: ClassVar = [sql_file(__file__, "0044_spending_rules")]
