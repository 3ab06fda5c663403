"""What the database did not know yet of a defeat's silence, of notices, withdrawals and late votes (domain §4)."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0041_guards_of_many")]
    operations: ClassVar = [sql_file(__file__, "0042_governance_gaps")]
