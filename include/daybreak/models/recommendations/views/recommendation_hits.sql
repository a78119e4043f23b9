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
        coalesce(verdict.gate, 'not_judged') AS gate,
        (
            SELECT count(*)
            FROM raw.day_closed AS closed
            WHERE closed.business_date > pointer.business_date
                AND closed.business_date <= pointer.business_date + 7
        ) AS days_closed
    FROM ops.published AS pointer
    JOIN ops.generation AS generation USING (generation_id)
    LEFT JOIN report.version_gate AS verdict
        ON verdict.model = generation.model AND verdict.version = generation.version
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
    judged.popular_coverage,
    vintage.gate
FROM vintage
CROSS JOIN LATERAL (
    -- One vintage at a time, and of its lists only those of users who bought, each found by its
    -- key and counted where it is found: to bring lists and purchases together by grouping all of
    -- both took twice as long, and by a join, whose size is not known when this is planned, 1.7 s.
    WITH sold AS MATERIALIZED (
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
    -- Every item on any list, the default one too: the one pass over all of them.
    shown AS (
        SELECT DISTINCT item_id
        FROM score.recommendation
        WHERE business_date = vintage.business_date AND generation_id = vintage.generation_id
    ),
    buyer AS MATERIALIZED (
        SELECT
            bought.user_id,
            array_agg(bought.item_id) AS items,
            count(popular.rank) AS popular_met,
            sum(1 / ln(popular.rank::float8 + 1))
                FILTER (WHERE popular.rank <= 10) AS popular_gain_10
        FROM (
            SELECT DISTINCT event.user_id, event.item_id
            FROM raw.interaction AS event
            JOIN raw.day_closed AS closed USING (business_date)
            WHERE event.business_date > vintage.business_date
                AND event.business_date <= vintage.business_date + 7
                AND closed.business_date > vintage.business_date
                AND closed.business_date <= vintage.business_date + 7
                AND event.weight >= 1
                AND event.user_id <> ''
        ) AS bought
        LEFT JOIN (SELECT item_id, rank FROM sold WHERE rank <= 20) AS popular USING (item_id)
        GROUP BY bought.user_id
    ),
    -- 1 / log2(rank + 1), and its sum over the best list there can be. The base cancels out.
    ideal AS (
        SELECT n, sum(1 / ln(n + 1)) OVER (ORDER BY n) AS gain
        FROM (SELECT generate_series(1, 10)::float8 AS n) AS place
    ),
    of_user AS (
        SELECT
            cardinality(buyer.items) AS wanted,
            list.met,
            list.met_20,
            list.gain_10,
            buyer.popular_met,
            buyer.popular_gain_10
        FROM buyer
        CROSS JOIN LATERAL (
            SELECT
                count(*) AS items,
                count(*) FILTER (WHERE is_wanted) AS met,
                count(*) FILTER (WHERE is_wanted AND rank <= 20) AS met_20,
                sum(1 / ln(rank + 1)) FILTER (WHERE is_wanted AND rank <= 10) AS gain_10
            FROM (
                SELECT score.rank, score.item_id = ANY (buyer.items) AS is_wanted
                FROM score.recommendation AS score
                WHERE score.business_date = vintage.business_date
                    AND score.generation_id = vintage.generation_id
                    AND score.user_id = buyer.user_id
            ) AS listed
        ) AS list
        WHERE list.items > 0
    )
    SELECT
        count(*) AS users,
        coalesce(sum(wanted), 0)::bigint AS purchases,
        coalesce(sum(met), 0)::bigint AS purchases_met,
        avg((met > 0)::int)::float8 AS hit_rate,
        avg(coalesce(gain_10, 0) / ideal.gain) AS ndcg_10,
        avg(met_20::float8 / wanted) AS recall_20,
        (
            SELECT avg((item_id IN (SELECT item_id FROM shown))::int)::float8
            FROM sold
        ) AS coverage,
        coalesce(sum(popular_met), 0)::bigint AS popular_purchases_met,
        avg((popular_met > 0)::int)::float8 AS popular_hit_rate,
        avg(coalesce(popular_gain_10, 0) / ideal.gain) AS popular_ndcg_10,
        avg(popular_met::float8 / wanted) AS popular_recall_20,
        (SELECT avg((rank <= 20)::int)::float8 FROM sold) AS popular_coverage
    FROM of_user
    JOIN ideal ON ideal.n = least(of_user.wanted, 10)
) AS judged
WHERE vintage.days_closed > 0;

COMMENT ON VIEW report.recommendation_hits IS
    'Published recommendations against the purchases of the next seven days, beside popularity';

COMMENT ON COLUMN report.recommendation_hits.business_date IS
    'last day whose facts the lists knew; judged are the seven days after it';
COMMENT ON COLUMN report.recommendation_hits.version IS 'model version that made the lists';
COMMENT ON COLUMN report.recommendation_hits.generation_id IS 'publication that is judged';
COMMENT ON COLUMN report.recommendation_hits.days_closed IS
    'days of the seven whose facts are all known; below 7 the numbers still move';
COMMENT ON COLUMN report.recommendation_hits.users IS
    'users who bought on these days and had a list of their own';
COMMENT ON COLUMN report.recommendation_hits.purchases IS
    'distinct items that each of them bought, in sum';
COMMENT ON COLUMN report.recommendation_hits.purchases_met IS
    'of these, the ones on the list of their buyer';
COMMENT ON COLUMN report.recommendation_hits.hit_rate IS
    'fraction of users with one or more of their purchases on the list; null where no user counts';
COMMENT ON COLUMN report.recommendation_hits.ndcg_10 IS
    'fraction, mean over users: each hit among the first 10 counts 1 / log2(rank + 1), divided '
    'by the best that was possible';
COMMENT ON COLUMN report.recommendation_hits.recall_20 IS
    'fraction, mean over users: share of their purchases among the first 20';
COMMENT ON COLUMN report.recommendation_hits.coverage IS
    'fraction of the items sold in the 28 days up to business_date that are on any list; null '
    'where nothing was sold';
COMMENT ON COLUMN report.recommendation_hits.popular_purchases_met IS
    'purchases_met by one list for everybody: the 20 items of most buyers in these 28 days, as '
    'the run knew them';
COMMENT ON COLUMN report.recommendation_hits.popular_hit_rate IS 'hit_rate of that list';
COMMENT ON COLUMN report.recommendation_hits.popular_ndcg_10 IS 'ndcg_10 of that list';
COMMENT ON COLUMN report.recommendation_hits.popular_recall_20 IS 'recall_20 of that list';
COMMENT ON COLUMN report.recommendation_hits.popular_coverage IS 'coverage by that list';
COMMENT ON COLUMN report.recommendation_hits.gate IS
    'what the gate said of that version last: passed, refused (a person put it in force all the '
    'same), baseline (a formula, until a version passes) or not_judged';
