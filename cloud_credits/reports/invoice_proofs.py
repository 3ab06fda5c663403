"""What must be true of invoices, recomputed from the ledger and the lines: one row a query, as in `proofs`."""

from typing import Final

# Paid and refunded invoices against their transfers: completed, for invoices, of exactly the total, with techne.
SETTLED: Final = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT i.id,
           NOT cloud_credits_settles_invoice(i.payment_transaction_id, i.total, i.member_id, techne.id)
           OR (i.state = 'refunded') <> (i.refund_transaction_id IS NOT NULL)
           OR (i.refund_transaction_id IS NOT NULL
               AND NOT cloud_credits_settles_invoice(i.refund_transaction_id, i.total, techne.id, i.member_id)) AS wrong
      FROM cloud_credits_invoice i, (SELECT id FROM members_member WHERE system_code = 'techne') techne
     WHERE i.state IN ('paid', 'refunded')) checked
"""
# The other way round: whatever a member paid for an invoice, or was given back for one, stands on one invoice. What
# was reversed is undone and pays nothing.
TRANSFERS: Final = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT t.id, count(i.id) <> 1 AS wrong
      FROM cloud_credits_cloudtransaction t
      LEFT JOIN cloud_credits_invoice i ON t.id IN (i.payment_transaction_id, i.refund_transaction_id)
     WHERE t.type = 'transfer' AND t.purpose = 'invoice' AND t.state = 'completed'
     GROUP BY t.id) checked
"""
LINES: Final = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT i.id,
           i.total IS DISTINCT FROM sum(l.amount) OR NOT bool_and(l.amount = round(l.quantity * l.price, 8)) AS wrong
      FROM cloud_credits_invoice i LEFT JOIN cloud_credits_invoiceline l ON l.invoice_id = i.id
     GROUP BY i.id) checked
"""
NUMBERS: Final = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT id, number <> row_number() OVER (ORDER BY number, id)
               OR due_on <> (sent_at AT TIME ZONE 'UTC')::date + 30 AS wrong
      FROM cloud_credits_invoice WHERE number IS NOT NULL) checked
"""
