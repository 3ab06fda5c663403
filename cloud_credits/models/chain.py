"""The hash chain over the credit ledger: blocks sealed off the hot path, each bound to the one before."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class ChainBlock(models.Model):
    """All rows booked by database transactions in `[from_xid, to_xid)`, in (xid, id) order, and their SHA-256.

    The boundary is a snapshot's xmin: every transaction below it had ended when the block was sealed, so no row
    can appear behind the seal.
    """

    height = models.BigIntegerField(primary_key=True)
    from_xid = models.BigIntegerField()
    to_xid = models.BigIntegerField()
    rows = models.BigIntegerField()
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(db_default=models.functions.Now())

    class Meta:
        permissions: ClassVar = [("seal_chain", "Can seal the hash chain")]
        constraints: ClassVar = [
            models.CheckConstraint(name="block_covers_rows", condition=Q(rows__gt=0)),
            models.CheckConstraint(name="block_range_forward", condition=Q(to_xid__gt=models.F("from_xid"))),
            models.UniqueConstraint(name="block_follows_one", fields=["from_xid"]),
        ]

    def __str__(self) -> str:
        return f"Block {self.height}"
