-- Published lists against what their users bought in the seven days after the business date,
-- beside one list for all: the items of most buyers in the 28 days before, as known to the run.
--
-- That list is made here rather than taken from the default list that was published with the
-- others. The default list comes out of the same model, so a bad version would drag down what it
-- is compared with; and so the number means the same for every version.
CREATE VIEW report.recommendation_hits AS
WITH vintage AS NOT MATERIALIZED (
    SELECT
        pointer.business_date,
        generation.generation_id,
        generation.version,
        generation.cutoff,
        (
            SELECT count(*)
            FROM raw.day_closed AS closed
            WHERE closed.business_date > pointer.business_date
                AND closed.business_date <= pointer.business_date + 7
        ) AS days_closed
    FROM ops.published AS pointer
    JOIN ops.generation AS generation USING (generation_id)
    WHERE pointer.model = 'recommendations'
)
SELECT
    vintage.business_date,
    vintage.version,
    vintage.generation_id,
    vintage.days_closed,
    judged.users,
    judged.purchases,
    judged.purchases_met,
    judged.hit_rate,
    judged.ndcg_10,
    judged.recall_20,
    judged.coverage,
    judged.popular_purchases_met,
    judged.popular_hit_rate,
    judged.popular_ndcg_10,
    judged.popular_recall_20,
    judged.popular_coverage
FROM vintage
CROSS JOIN LATERAL (
    -- One vintage at a time, so that asking for one reads one partition.
    WITH list AS (
        SELECT user_id, item_id, rank
        FROM score.recommendation
        WHERE business_date = vintage.business_date AND generation_id = vintage.generation_id
    ),
    bought AS (
        SELECT DISTINCT event.user_id, event.item_id
        FROM raw.interaction AS event
        JOIN raw.day_closed AS closed USING (business_date)
        WHERE event.business_date > vintage.business_date
            AND event.business_date <= vintage.business_date + 7
            AND event.weight >= 1
            AND event.user_id IN (SELECT user_id FROM list WHERE user_id <> '')
    ),
    sold AS (
        -- A buyer of a day counts once: the user, else the basket, else the moment.
        SELECT
            item_id,
            row_number() OVER (ORDER BY count(*) DESC, item_id COLLATE "C") AS rank
        FROM (
            SELECT DISTINCT
                event.item_id,
                event.business_date,
                nullif(event.user_id, '') AS buyer,
                CASE
                    WHEN coalesce(event.user_id, '') = ''
                        THEN coalesce(event.basket_id, event.event_at::text)
                END AS visit
            FROM raw.interaction AS event
            WHERE event.business_date > vintage.business_date - 28
                AND event.business_date <= vintage.business_date
                AND event.loaded_at <= vintage.cutoff
                AND event.weight >= 1
        ) AS sale
        GROUP BY item_id
    ),
    popular AS (SELECT item_id, rank FROM sold WHERE rank <= 20),
    -- 1 / log2(rank + 1), and its sum over the best list there can be. The base cancels out.
    ideal AS (
        SELECT n, sum(1 / ln(n + 1)) OVER (ORDER BY n) AS gain
        FROM (SELECT generate_series(1, 10)::float8 AS n) AS place
    ),
    of_user AS (
        SELECT
            bought.user_id,
            count(*) AS wanted,
            count(list.rank) AS met,
            count(list.rank) FILTER (WHERE list.rank <= 20) AS met_20,
            coalesce(sum(1 / ln(list.rank + 1)) FILTER (WHERE list.rank <= 10), 0) AS gain_10,
            count(popular.rank) AS popular_met,
            coalesce(sum(1 / ln(popular.rank::float8 + 1)) FILTER (WHERE popular.rank <= 10), 0)
                AS popular_gain_10
        FROM bought
        LEFT JOIN list USING (user_id, item_id)
        LEFT JOIN popular USING (item_id)
        GROUP BY bought.user_id
    )
    SELECT
        count(*) AS users,
        coalesce(sum(wanted), 0)::bigint AS purchases,
        coalesce(sum(met), 0)::bigint AS purchases_met,
        avg((met > 0)::int)::float8 AS hit_rate,
        avg(gain_10 / ideal.gain)::float8 AS ndcg_10,
        avg(met_20::float8 / wanted) AS recall_20,
        (
            SELECT avg((item_id IN (SELECT item_id FROM list))::int)::float8 FROM sold
        ) AS coverage,
        coalesce(sum(popular_met), 0)::bigint AS popular_purchases_met,
        avg((popular_met > 0)::int)::float8 AS popular_hit_rate,
        avg(popular_gain_10 / ideal.gain)::float8 AS popular_ndcg_10,
        avg(popular_met::float8 / wanted) AS popular_recall_20,
        (SELECT avg((rank <= 20)::int)::float8 FROM sold) AS popular_coverage
    FROM of_user
    JOIN ideal ON ideal.n = least(of_user.wanted, 10)
) AS judged
WHERE vintage.days_closed > 0;

COMMENT ON VIEW report.recommendation_hits IS
    'Published recommendations against the purchases of the next seven days, beside popularity';
