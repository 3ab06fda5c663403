CREATE OR REPLACE FUNCTION cloud_credits_wrong_opening(card cloud_credits_ratecard) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT CASE
        WHEN NOT cloud_credits_is_now(card.opens_at) THEN 'its vote does not open now'
        WHEN NOT card.is_emergency AND card.opens_at < card.proposed_at + interval '336 hours'
            THEN 'it was discussed for less than 14 days'
        WHEN card.opens_at >= card.proposed_at + interval '1440 hours' THEN 'it has lapsed'
        WHEN card.closes_at < card.opens_at
                + CASE WHEN card.is_emergency THEN interval '24 hours' ELSE interval '72 hours' END
            THEN 'its vote is too short'
        WHEN card.effective_date::timestamp AT TIME ZONE 'UTC' < card.closes_at
                + CASE WHEN card.is_emergency THEN interval '24 hours' ELSE interval '72 hours' END
            THEN 'its vote closes too late'
        WHEN EXISTS (
                SELECT FROM cloud_credits_ratecardelector e
                 WHERE e.card_id = card.id AND e.version = card.version
                   AND e.at_opening IS DISTINCT FROM
                       (e.member_id IN (SELECT cloud_credits_active_stewards())))
            THEN 'its electorate is not those who are stewards now'
        WHEN (SELECT count(*) FROM cloud_credits_ratecardelector e
               WHERE e.card_id = card.id AND e.version = card.version AND e.at_opening) < 2
            THEN 'it has fewer than two electors'
        WHEN cloud_credits_above_cap(card) IS NOT NULL
            THEN cloud_credits_above_cap(card) || ' rises by more than its cap'
        END
$$;
