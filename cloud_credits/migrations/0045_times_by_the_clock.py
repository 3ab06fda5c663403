"""No row is booked, and no usage taken in, at another time than the clock's; see sql/0045_times_by_the_clock.sql."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0044_spending_rules")]
    operations: ClassVar = [sql_file(__file__, "0045_times_by_the_clock")]
