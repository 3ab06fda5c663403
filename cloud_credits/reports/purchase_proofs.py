"""What must be true of payments and their credits: queries of one row each, counted, wrong, and the first wrong one."""

from typing import Final

# Both ways round: a minted payment without its mint, and a mint that no payment paid for. What a refund that failed
# brought back after the mint was given by corrections of the same reference.
MINTS: Final = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT p.id, NOT coalesce((m.amount + coalesce(l.amount, 0)) * 10 = p.minted
                              AND t.type = 'mint' AND t.purpose = 'payment'
                              AND t.state = 'completed' AND t.amount = m.amount AND t.to_member_id = p.member_id,
                              false) AS wrong
      FROM treasury_payment p
      LEFT JOIN cloud_credits_paymentmint m ON m.payment_id = p.id
      LEFT JOIN cloud_credits_cloudtransaction t ON t.id = m.transaction_id
      LEFT JOIN (SELECT to_member_id, reference, sum(amount) AS amount FROM cloud_credits_cloudtransaction
                  WHERE type = 'correction' AND purpose = 'payment' AND state IN ('completed', 'reversed')
                    AND starts_with(reference, 'payment:') GROUP BY 1, 2) l
        ON l.reference = 'payment:' || p.reference AND l.to_member_id = p.member_id
     WHERE p.state = 'minted' OR m.id IS NOT NULL
    UNION ALL
    SELECT t.id, m.id IS NULL
      FROM cloud_credits_cloudtransaction t LEFT JOIN cloud_credits_paymentmint m ON m.transaction_id = t.id
     WHERE t.type = 'mint' AND t.purpose = 'payment' AND t.state IN ('completed', 'reversed')) checked
"""
# What stands in 2240: money that neither was minted nor went back, and money of burned credits on its way back.
HELD: Final = """
SELECT count(*), CASE WHEN sum(dollars) IS NOT DISTINCT FROM max(stands) THEN 0 ELSE 1 END,
       coalesce(sum(dollars), 0) || ' waits or goes back, ' || max(stands) || ' in 2240'
  FROM (SELECT greatest(amount - refunded - disputed, 0) AS dollars
          FROM treasury_payment WHERE state IN ('received', 'refunding')
        UNION ALL
        SELECT late FROM treasury_payment WHERE late > 0
        UNION ALL
        SELECT 10 * amount FROM cloud_credits_refundrequest WHERE burn_id IS NOT NULL AND giveback_id IS NULL
        UNION ALL
        SELECT -r.amount FROM treasury_refund r
         WHERE r.state = 'succeeded' AND r.origin = 'habitat'
        UNION ALL
        SELECT 0) held,
       (SELECT coalesce(sum(CASE l.side WHEN 'C' THEN l.amount ELSE -l.amount END), 0) AS stands
          FROM treasury_journalline l JOIN treasury_account a ON a.id = l.account_id WHERE a.code = '2240') book
"""
CLAWBACKS: Final = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT c.id, c.burned <> coalesce(t.burned, 0) OR c.given_back <> coalesce(t.given, 0)
                 OR c.owed <> coalesce(d.owed, 0) OR 10 * (c.total - c.given_back) <> p.clawed_back AS wrong
      FROM cloud_credits_clawback c
      JOIN treasury_payment p ON p.id = c.payment_id
      LEFT JOIN cloud_credits_paymentmint m ON m.payment_id = c.payment_id
      LEFT JOIN (SELECT reference, sum(amount) FILTER (WHERE type = 'burn') AS burned,
                        sum(amount) FILTER (WHERE type = 'correction') AS given
                   FROM cloud_credits_cloudtransaction
                  WHERE purpose IN ('payment', 'dispute') AND state = 'completed' GROUP BY 1) t
        ON t.reference = 'clawback:' || c.id
      LEFT JOIN (SELECT origin_id, sum(amount) AS owed FROM cloud_credits_receivable GROUP BY 1) d
        ON d.origin_id = m.transaction_id) checked
"""
REFUNDS: Final = """
SELECT count(*), count(*) FILTER (WHERE wrong), min(id) FILTER (WHERE wrong) FROM (
    SELECT r.id, (r.state IN ('burned', 'sent', 'settled')) AND (b.id IS NULL OR g.id IS NOT NULL)
                 OR r.state = 'asked' AND b.id IS NOT NULL
                 OR r.state = 'failed' AND (b.id IS NULL) <> (g.id IS NULL)
                 OR NOT coalesce(b.type = 'burn' AND b.purpose = 'payment' AND b.amount = r.amount
                                 AND b.from_member_id = r.member_id AND b.state = 'completed', true)
                 OR NOT coalesce(g.type = 'correction' AND g.purpose = 'payment' AND g.amount = r.amount
                                 AND g.to_member_id = r.member_id AND g.state = 'completed', true) AS wrong
      FROM cloud_credits_refundrequest r
      LEFT JOIN cloud_credits_cloudtransaction b ON b.id = r.burn_id
      LEFT JOIN cloud_credits_cloudtransaction g ON g.id = r.giveback_id) checked
"""
