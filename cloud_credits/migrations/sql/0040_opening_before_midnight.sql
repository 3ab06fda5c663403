-- What is wrong with an opening, as in 0029; and: usage may be stamped up to five minutes ahead, so a vote that closed
-- in the last five minutes of a UTC day could undo a card by which usage of the next day was priced already.
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
        WHEN (card.closes_at AT TIME ZONE 'UTC')::time > time '23:55:00'
            THEN 'its vote closes within the five minutes before midnight'
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
