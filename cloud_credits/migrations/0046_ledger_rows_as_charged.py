"""The index by which usage will name its redemption whole (0047), built while the house is open.

Outside a transaction, as `CONCURRENTLY` asks, and waiting as long as it takes for transactions under way, which nobody
waits for in turn. Broken off, it is begun anew.
"""

from typing import ClassVar

from django.db import migrations

PATIENT = "SET lock_timeout = 0"
AS_BEFORE = "RESET lock_timeout"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS transaction_as_charged"
CREATE = (
    "CREATE UNIQUE INDEX CONCURRENTLY transaction_as_charged"
    " ON cloud_credits_cloudtransaction (id, type, from_member_id, amount, journal_entry_id)"
)


class Migration(migrations.Migration):
    atomic = False
    dependencies: ClassVar = [("cloud_credits", "0045_times_by_the_clock")]
    operations: ClassVar = [migrations.RunSQL([PATIENT, DROP, CREATE, AS_BEFORE], [PATIENT, DROP, AS_BEFORE])]
