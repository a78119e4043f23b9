-- Every published sales forecast: one row a business date, store, item and day ahead.
CREATE VIEW report.forecast_vintages AS
SELECT
    -- Not the pointer's: so a range of dates prunes the partitions when the query is planned.
    score.business_date,
    score.target_date,
    score.horizon,
    score.store_id,
    store.name AS store_name,
    score.item_id,
    item.name AS item_name,
    item.category,
    score.p10,
    score.p50,
    score.p90,
    score.mean,
    generation.version,
    generation.generation_id,
    generation.cutoff,
    pointer.published_at,
    coalesce(verdict.gate, 'not_judged') AS gate
FROM score.sales_forecast AS score
JOIN ops.published AS pointer
    ON pointer.business_date = score.business_date
    AND pointer.generation_id = score.generation_id
    AND pointer.model = 'sales_forecast'
JOIN ops.generation AS generation ON generation.generation_id = pointer.generation_id
LEFT JOIN report.version_gate AS verdict
    ON verdict.model = generation.model AND verdict.version = generation.version
-- Looked up a store and an item at a time, each once (Memoize): no question reads all names.
LEFT JOIN LATERAL (
    SELECT known.name
    FROM raw.store AS known
    WHERE known.store_id = score.store_id
    ORDER BY known.loaded_at DESC, known.load_id DESC
    LIMIT 1
) AS store ON TRUE
LEFT JOIN LATERAL (
    SELECT known.name, known.category
    FROM raw.item AS known
    WHERE known.item_id = score.item_id
    ORDER BY known.loaded_at DESC, known.load_id DESC
    LIMIT 1
) AS item ON TRUE;

COMMENT ON VIEW report.forecast_vintages IS
    'Every published sales forecast, by business date, store, item and day ahead';

COMMENT ON COLUMN report.forecast_vintages.business_date IS
    'last day whose facts the forecast knows';
COMMENT ON COLUMN report.forecast_vintages.target_date IS
    'day that is forecast; the last one of its week where the data set has weeks';
COMMENT ON COLUMN report.forecast_vintages.horizon IS
    'days ahead, from 1; weeks where the data set has weeks';
COMMENT ON COLUMN report.forecast_vintages.store_id IS 'store';
COMMENT ON COLUMN report.forecast_vintages.store_name IS
    'latest known name; null where none was loaded';
COMMENT ON COLUMN report.forecast_vintages.item_id IS 'item';
COMMENT ON COLUMN report.forecast_vintages.item_name IS
    'latest known name; null where none was loaded';
COMMENT ON COLUMN report.forecast_vintages.category IS
    'latest known category; null where none was loaded';
COMMENT ON COLUMN report.forecast_vintages.p10 IS
    'units; sales stay below with a probability of 10 %';
COMMENT ON COLUMN report.forecast_vintages.p50 IS
    'units; sales stay below with a probability of 50 %';
COMMENT ON COLUMN report.forecast_vintages.p90 IS
    'units; sales stay below with a probability of 90 %';
COMMENT ON COLUMN report.forecast_vintages.mean IS
    'units; expected sales: add these up, never the quantiles';
COMMENT ON COLUMN report.forecast_vintages.version IS 'model version that made the forecast';
COMMENT ON COLUMN report.forecast_vintages.generation_id IS 'publication that the row belongs to';
COMMENT ON COLUMN report.forecast_vintages.cutoff IS
    'knowledge time of the run: it knew what was loaded until then, and nothing later';
COMMENT ON COLUMN report.forecast_vintages.published_at IS 'when it became visible';
COMMENT ON COLUMN report.forecast_vintages.gate IS
    'what the gate said of that version last: passed, refused (a person put it in force all the '
    'same), baseline (a formula, until a version passes) or not_judged';
