"""The rules of domain §4 as deep as the database can hold them; see sql/0029_governance_guards.sql."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0028_governance_of_v1"), ("members", "0007_clock")]
    operations: ClassVar = [sql_file(__file__, "0029_governance_guards")]
