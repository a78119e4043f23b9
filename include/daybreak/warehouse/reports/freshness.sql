-- How new the published scores of each model are. A backfill is published, but never fresh.
CREATE VIEW report.freshness AS
WITH model AS (
    SELECT model FROM ops.generation
    UNION
    SELECT model FROM ops.champion
),
day AS (
    SELECT
        pointer.model,
        pointer.business_date,
        pointer.published_at,
        pointer.generation_id,
        -- Fresh stays fresh when a backfill later replaces what the nightly run published.
        EXISTS (
            SELECT FROM ops.generation AS generation
            WHERE generation.model = pointer.model
                AND generation.business_date = pointer.business_date
                AND generation.state IN ('published', 'superseded')
                AND generation.run_type <> 'backfill'
        ) AS fresh
    FROM ops.published AS pointer
),
newest AS (
    SELECT
        model,
        max(business_date) AS newest,
        max(business_date) FILTER (WHERE fresh) AS newest_fresh
    FROM day
    GROUP BY model
),
closed AS (SELECT max(business_date) AS newest_closed FROM raw.day_closed)
SELECT
    model.model,
    closed.newest_closed,
    newest.newest,
    newest.newest_fresh,
    day.published_at,
    closed.newest_closed - newest.newest AS age_days,
    closed.newest_closed - newest.newest_fresh AS fresh_age_days,
    generation.version,
    coalesce(verdict.gate, 'not_judged') AS gate
FROM model
CROSS JOIN closed
LEFT JOIN newest USING (model)
LEFT JOIN day ON day.model = model.model AND day.business_date = newest.newest
LEFT JOIN ops.generation AS generation ON generation.generation_id = day.generation_id
LEFT JOIN report.version_gate AS verdict
    ON verdict.model = generation.model AND verdict.version = generation.version;

COMMENT ON VIEW report.freshness IS
    'Newest published business date of each model, and how far it is behind the newest closed day';
