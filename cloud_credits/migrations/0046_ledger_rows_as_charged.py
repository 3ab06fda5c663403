"""The index by which usage will name its redemption whole (0047), built while the house is open.

Outside a transaction, as `CONCURRENTLY` asks. Broken off, it leaves an index that is not valid: drop it, run it again.
"""

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar = [("cloud_credits", "0045_times_by_the_clock")]
    operations: ClassVar = [
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY transaction_as_charged"
            " ON cloud_credits_cloudtransaction (id, type, from_member_id, amount, journal_entry_id)",
            "DROP INDEX CONCURRENTLY transaction_as_charged",
        ),
    ]
