"""No vote closes in the last five minutes of a UTC day."""

from typing import ClassVar

from django.db import migrations

from habitat.faces.migrations import sql_file


class Migration(migrations.Migration):
    dependencies: ClassVar = [("cloud_credits", "0039_import_tail")]
    operations: ClassVar = [sql_file(__file__, "0040_opening_before_midnight")]
