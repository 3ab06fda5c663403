"""Sealing the hash chain, off the hot path: one SHA-256 a block over what was surely booked."""

from django.db import connection, transaction

from cloud_credits import locks
from cloud_credits.models import ChainBlock

GENESIS = "0" * 64

# Rows by (xid, id): a boundary is a snapshot's xmin, below which every transaction has ended, so no row can
# appear behind it. One hash binds the canonical rows to the block before.
_SEAL = """
WITH edge AS (
    SELECT coalesce(max(to_xid), 0) AS from_xid,
           pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS to_xid,
           coalesce(max(height), 0) + 1 AS height,
           coalesce((SELECT hash FROM cloud_credits_chainblock ORDER BY height DESC LIMIT 1), %(genesis)s) AS previous
      FROM cloud_credits_chainblock
), body AS (
    SELECT count(*) AS rows,
           string_agg(cloud_credits_canonical(t), E'\\n' ORDER BY t.booked_xid, t.id) AS text
      FROM edge, cloud_credits_cloudtransaction t
     WHERE t.booked_xid >= edge.from_xid AND t.booked_xid < edge.to_xid
)
INSERT INTO cloud_credits_chainblock (height, from_xid, to_xid, rows, previous_hash, hash)
SELECT edge.height, edge.from_xid, edge.to_xid, body.rows, edge.previous,
       encode(sha256(convert_to(edge.previous || E'\\n' || body.text, 'UTF8')), 'hex')
  FROM edge, body
 WHERE body.rows > 0
RETURNING height
"""


@transaction.atomic
def seal() -> ChainBlock | None:
    """Seals what was booked since the last block; None when nothing was. One sealer at a time."""
    locks.chain_head()
    with connection.cursor() as cursor:
        cursor.execute(_SEAL, {"genesis": GENESIS})
        sealed = cursor.fetchone()
    return ChainBlock.objects.get(pk=sealed[0]) if sealed else None
