-- How far published forecasts were from what was sold, beside seasonal naive on the same rows.
--
-- One row a business date, store, item and day ahead on which the store was open. Every measure is
-- one that can be summed or averaged over any rows, so that GROUP BY answers for a store, an item,
-- a category, a week ahead, a version. Ratios of sums are left to the question.
CREATE VIEW report.forecast_accuracy AS
SELECT
    business_date,
    target_date,
    horizon,
    store_id,
    store_name,
    item_id,
    item_name,
    category,
    1::bigint AS rows,
    actual AS actual_units,
    mean::float8 AS forecast_units,
    naive AS naive_units,
    abs(p50::float8 - actual) AS absolute_error_p50,
    abs(mean::float8 - actual) AS absolute_error_mean,
    abs(naive - actual) AS absolute_error_naive,
    (actual BETWEEN p10::float8 AND p90::float8)::int::float8 AS coverage,
    -- Pinball loss at a level t: t * (y - q) where y is above q, (1 - t) * (q - y) where below.
    (
        greatest(0.1 * (actual - p10::float8), 0.9 * (p10::float8 - actual))
        + 0.5 * abs(actual - p50::float8)
        + greatest(0.9 * (actual - p90::float8), 0.1 * (p90::float8 - actual))
    ) / 3 AS pinball,
    -- Naive as all three quantiles: the levels average to one half.
    abs(actual - naive) / 2 AS pinball_naive,
    version,
    generation_id,
    gate
FROM report.forecast_actual
WHERE open;

COMMENT ON VIEW report.forecast_accuracy IS
    'Errors of published forecasts on open days, by business date, store, item and day ahead';

COMMENT ON COLUMN report.forecast_accuracy.business_date IS
    'last day whose facts the forecast knows';
COMMENT ON COLUMN report.forecast_accuracy.target_date IS
    'day that is forecast; the last one of its week where the data set has weeks';
COMMENT ON COLUMN report.forecast_accuracy.horizon IS
    'days ahead, from 1; weeks where the data set has weeks';
COMMENT ON COLUMN report.forecast_accuracy.store_id IS 'store';
COMMENT ON COLUMN report.forecast_accuracy.store_name IS
    'latest known name; null where none was loaded';
COMMENT ON COLUMN report.forecast_accuracy.item_id IS 'item';
COMMENT ON COLUMN report.forecast_accuracy.item_name IS
    'latest known name; null where none was loaded';
COMMENT ON COLUMN report.forecast_accuracy.category IS
    'latest known category; null where none was loaded';
COMMENT ON COLUMN report.forecast_accuracy.rows IS
    '1; its sum is how many rows of report.forecast_actual count';
COMMENT ON COLUMN report.forecast_accuracy.actual_units IS
    'units; sold on target_date, as known latest';
COMMENT ON COLUMN report.forecast_accuracy.forecast_units IS 'units; mean of the forecast';
COMMENT ON COLUMN report.forecast_accuracy.naive_units IS
    'units; seasonal naive, see report.forecast_actual';
COMMENT ON COLUMN report.forecast_accuracy.absolute_error_p50 IS
    'units; |p50 - actual|: sum it up, then divide by the sum of actual_units for the WAPE';
COMMENT ON COLUMN report.forecast_accuracy.absolute_error_mean IS
    'units; |mean - actual|, likewise';
COMMENT ON COLUMN report.forecast_accuracy.absolute_error_naive IS
    'units; |naive - actual|, likewise';
COMMENT ON COLUMN report.forecast_accuracy.coverage IS
    '1 where p10 <= actual <= p90, else 0; an average of 0.8 is right, more where many days sell 0';
COMMENT ON COLUMN report.forecast_accuracy.pinball IS
    'units; pinball loss, averaged over p10, p50 and p90: average it, lower is better';
COMMENT ON COLUMN report.forecast_accuracy.pinball_naive IS
    'units; the same, with naive for all three';
COMMENT ON COLUMN report.forecast_accuracy.version IS 'model version that made the forecast';
COMMENT ON COLUMN report.forecast_accuracy.generation_id IS 'publication that the row belongs to';
COMMENT ON COLUMN report.forecast_accuracy.gate IS
    'what the gate said of that version last: passed, refused (a person put it in force all the '
    'same), baseline (a formula, until a version passes) or not_judged';
