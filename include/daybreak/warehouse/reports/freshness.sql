-- How new the published scores of each model are. A backfill is published, but never fresh.
CREATE VIEW report.freshness AS
WITH model AS (
    SELECT model FROM ops.generation
    UNION
    SELECT model FROM ops.champion
),
closed AS (SELECT max(business_date) AS newest_closed FROM raw.day_closed)
SELECT
    model.model,
    closed.newest_closed,
    newest.business_date AS newest,
    fresh.business_date AS newest_fresh,
    newest.published_at,
    -- What is newer than expected was made by hand.
    CASE
        WHEN newest.business_date > expected.newest THEN 0
        ELSE expected.newest - newest.business_date
    END AS age_days,
    CASE
        WHEN fresh.business_date > expected.newest THEN 0
        ELSE expected.newest - fresh.business_date
    END AS fresh_age_days,
    generation.version,
    coalesce(verdict.gate, 'not_judged') AS gate,
    coalesce(last_run.interval, 'daily') AS interval,
    expected.newest AS newest_expected,
    basis.state AS basis,
    newest.generation_id,
    generation.rows
FROM model
CROSS JOIN closed
LEFT JOIN LATERAL (
    SELECT run.interval
    FROM ops.run
    WHERE run.model = model.model
    ORDER BY run.started_at DESC
    LIMIT 1
) AS last_run ON TRUE
-- Of a weekly model the newest closed day of its weekday, up to six days before the newest.
CROSS JOIN LATERAL (
    SELECT closed.newest_closed - coalesce(
        (
            extract(isodow FROM closed.newest_closed)::int + 7
            - array_position(
                ARRAY['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'],
                substring(last_run.interval FROM '^weekly:(.*)$')
            )
        ) % 7,
        0
    ) AS newest
) AS expected
-- From the newest day backwards until one will do, however many are published.
LEFT JOIN LATERAL (
    SELECT pointer.business_date, pointer.published_at, pointer.generation_id
    FROM ops.published AS pointer
    WHERE pointer.model = model.model
    ORDER BY pointer.business_date DESC
    LIMIT 1
) AS newest ON TRUE
LEFT JOIN LATERAL (
    SELECT pointer.business_date
    FROM ops.published AS pointer
    WHERE pointer.model = model.model
        -- Fresh stays fresh when a backfill later replaces what the nightly run published.
        AND EXISTS (
            SELECT FROM ops.generation AS earlier
            WHERE earlier.model = pointer.model
                AND earlier.business_date = pointer.business_date
                AND earlier.state IN ('published', 'superseded')
                AND earlier.run_type <> 'backfill'
        )
    ORDER BY pointer.business_date DESC
    LIMIT 1
) AS fresh ON TRUE
LEFT JOIN ops.generation AS generation ON generation.generation_id = newest.generation_id
LEFT JOIN LATERAL (
    -- Of several the worst; superseded is after published in the alphabet.
    SELECT
        CASE
            WHEN bool_or(upstream.state = 'rolled_back') THEN 'rolled_back'
            ELSE max(upstream.state)
        END AS state
    FROM ops.snapshot_upstream AS stands
    JOIN ops.generation AS upstream ON upstream.generation_id = stands.generation_id
    WHERE stands.snapshot_id = generation.snapshot_id
) AS basis ON TRUE
LEFT JOIN report.version_gate AS verdict
    ON verdict.model = generation.model AND verdict.version = generation.version;

COMMENT ON VIEW report.freshness IS
    'Newest published business date of each model, and how far it is behind the newest closed day';

COMMENT ON COLUMN report.freshness.model IS 'model';
COMMENT ON COLUMN report.freshness.newest_closed IS
    'newest business date all of whose facts are known';
COMMENT ON COLUMN report.freshness.newest IS 'newest published business date, by whatever run';
COMMENT ON COLUMN report.freshness.newest_fresh IS
    'newest one that a run other than a backfill published; a backfill never counts as fresh';
COMMENT ON COLUMN report.freshness.published_at IS 'when newest became visible';
COMMENT ON COLUMN report.freshness.age_days IS
    'days; newest_expected minus newest, 0 is up to date';
COMMENT ON COLUMN report.freshness.fresh_age_days IS 'days; newest_expected minus newest_fresh';
COMMENT ON COLUMN report.freshness.interval IS
    'when the model is scored, as its last run had it: daily, weekly:sunday or on_data';
COMMENT ON COLUMN report.freshness.newest_expected IS
    'newest closed business date that the model is scored on; of a daily one newest_closed';
COMMENT ON COLUMN report.freshness.version IS 'model version that made the scores of newest';
COMMENT ON COLUMN report.freshness.gate IS
    'what the gate said of that version last: passed, refused (a person put it in force all the '
    'same), baseline (a formula, until a version passes) or not_judged';
COMMENT ON COLUMN report.freshness.basis IS
    'what became of the scores of other models that newest was made from: published, superseded or '
    'rolled_back (report.basis); null where it was made from none';
COMMENT ON COLUMN report.freshness.generation_id IS 'publication of newest';
COMMENT ON COLUMN report.freshness.rows IS 'rows that it has';
