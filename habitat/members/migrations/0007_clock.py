"""The house's one clock; see sql/0007_clock.sql."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("members", "0006_email_present")]
    operations: ClassVar = [sql_file(__file__, "0007_clock")]
