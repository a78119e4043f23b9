-- Published forecasts against what was sold, beside seasonal naive on the same rows.
--
-- A row counts once its target date is closed and if the store was open on it. Openness is told
-- as the features are told it: the plan for the item, else for its store, else the sale itself;
-- a day on which units were sold was open. What is known latest holds; no row of sales is 0.
CREATE VIEW report.forecast_accuracy AS
WITH sold AS NOT MATERIALIZED (
    -- An anti-join, not DISTINCT ON, so that asking for one vintage need not sort all sales.
    SELECT business_date, store_id, item_id, units, open
    FROM raw.sales AS sale
    WHERE NOT EXISTS (
        SELECT FROM raw.sales AS later
        WHERE later.store_id = sale.store_id
            AND later.item_id = sale.item_id
            AND later.business_date = sale.business_date
            AND (later.loaded_at, later.load_id) > (sale.loaded_at, sale.load_id)
    )
),
planned AS NOT MATERIALIZED (
    SELECT DISTINCT ON (business_date, store_id, item_id) business_date, store_id, item_id, open
    FROM raw.plan
    ORDER BY business_date, store_id, item_id, loaded_at DESC, load_id DESC
),
compared AS (
    SELECT
        vintage.business_date,
        vintage.horizon,
        vintage.version,
        vintage.p10::float8 AS p10,
        vintage.p50::float8 AS p50,
        vintage.p90::float8 AS p90,
        vintage.mean::float8 AS mean,
        coalesce(sold.units, 0) AS actual,
        coalesce(naive.units, 0) AS naive
    FROM report.forecast_vintages AS vintage
    JOIN ops.generation AS generation USING (generation_id)
    JOIN raw.day_closed AS closed ON closed.business_date = vintage.target_date
    LEFT JOIN sold
        ON sold.store_id = vintage.store_id
        AND sold.item_id = vintage.item_id
        AND sold.business_date = vintage.target_date
    LEFT JOIN planned AS item_plan
        ON item_plan.store_id = vintage.store_id
        AND item_plan.item_id = vintage.item_id
        AND item_plan.business_date = vintage.target_date
    LEFT JOIN planned AS store_plan
        ON store_plan.store_id = vintage.store_id
        AND store_plan.item_id = ''
        AND store_plan.business_date = vintage.target_date
    LEFT JOIN raw.calendar AS calendar ON calendar.business_date = vintage.target_date
    LEFT JOIN LATERAL (
        -- The same weekday within the last week up to the business date, as it was known then.
        SELECT sale.units
        FROM raw.sales AS sale
        WHERE sale.store_id = vintage.store_id
            AND sale.item_id = vintage.item_id
            AND sale.business_date = vintage.target_date - 7 * ((vintage.horizon + 6) / 7)
            AND sale.loaded_at <= generation.cutoff
        ORDER BY sale.loaded_at DESC, sale.load_id DESC
        LIMIT 1
    ) AS naive ON TRUE
    WHERE sold.units > 0
        OR (
            coalesce(item_plan.open, store_plan.open, sold.open, TRUE)
            AND coalesce(calendar.open, TRUE)
        )
)
SELECT
    business_date,
    horizon,
    version,
    count(*) AS rows,
    sum(actual) AS actual_units,
    sum(abs(p50 - actual)) AS absolute_error_p50,
    sum(abs(mean - actual)) AS absolute_error_mean,
    sum(abs(naive - actual)) AS absolute_error_naive,
    sum(abs(p50 - actual)) / nullif(sum(actual), 0) AS wape_p50,
    sum(abs(mean - actual)) / nullif(sum(actual), 0) AS wape_mean,
    sum(abs(naive - actual)) / nullif(sum(actual), 0) AS wape_naive,
    sum(mean - actual) / nullif(sum(actual), 0) AS bias_mean,
    sum(naive - actual) / nullif(sum(actual), 0) AS bias_naive,
    avg((actual BETWEEN p10 AND p90)::int)::float8 AS coverage,
    -- Pinball loss at a level t: t * (y - q) where y is above q, (1 - t) * (q - y) where below.
    avg(
        greatest(0.1 * (actual - p10), 0.9 * (p10 - actual))
        + 0.5 * abs(actual - p50)
        + greatest(0.9 * (actual - p90), 0.1 * (p90 - actual))
    ) / 3 AS pinball,
    -- Naive as all three quantiles: the levels average to one half.
    avg(abs(actual - naive)) / 2 AS pinball_naive
FROM compared
GROUP BY business_date, horizon, version;

COMMENT ON VIEW report.forecast_accuracy IS
    'Published forecasts against actual sales, by business date, day ahead and version';
