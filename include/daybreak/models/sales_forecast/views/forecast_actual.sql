-- Published forecasts beside what was sold, and beside seasonal naive: one row a business date,
-- store, item and day ahead, once that day is closed.
--
-- All that a row needs is looked up by store, item and date, so that a question costs what it
-- asks for: neither other business dates nor other series are read, however many there are.
CREATE VIEW report.forecast_actual AS
SELECT
    vintage.business_date,
    vintage.target_date,
    vintage.horizon,
    vintage.store_id,
    vintage.store_name,
    vintage.item_id,
    vintage.item_name,
    vintage.category,
    vintage.p10,
    vintage.p50,
    vintage.p90,
    vintage.mean,
    coalesce(sold.units, 0) AS actual,
    coalesce(naive.units, 0) AS naive,
    -- As the features see it: the plan for the item, else for its store, else the sale itself; a
    -- day on which units were sold was open. The plans are read only where none were.
    coalesce(sold.units, 0) > 0
    OR (
        coalesce(
            (
                SELECT plan.open
                FROM raw.plan
                WHERE plan.store_id = vintage.store_id
                    AND plan.item_id = vintage.item_id
                    AND plan.business_date = vintage.target_date
                ORDER BY plan.loaded_at DESC, plan.load_id DESC
                LIMIT 1
            ),
            (
                SELECT plan.open
                FROM raw.plan
                WHERE plan.store_id = vintage.store_id
                    AND plan.item_id = ''
                    AND plan.business_date = vintage.target_date
                ORDER BY plan.loaded_at DESC, plan.load_id DESC
                LIMIT 1
            ),
            sold.open,
            TRUE
        )
        AND coalesce(calendar.open, TRUE)
    ) AS open,
    vintage.version,
    vintage.generation_id,
    vintage.cutoff,
    vintage.published_at,
    vintage.gate
FROM report.forecast_vintages AS vintage
JOIN raw.day_closed AS closed ON closed.business_date = vintage.target_date
LEFT JOIN raw.calendar AS calendar ON calendar.business_date = vintage.target_date
LEFT JOIN LATERAL (
    -- What is known latest holds; no row of sales is 0.
    SELECT sale.units, sale.open
    FROM raw.sales AS sale
    WHERE sale.store_id = vintage.store_id
        AND sale.item_id = vintage.item_id
        AND sale.business_date = vintage.target_date
    ORDER BY sale.loaded_at DESC, sale.load_id DESC
    LIMIT 1
) AS sold ON TRUE
LEFT JOIN LATERAL (
    -- The same weekday within the last week up to the business date, as it was known then.
    SELECT sale.units
    FROM raw.sales AS sale
    WHERE sale.store_id = vintage.store_id
        AND sale.item_id = vintage.item_id
        AND sale.business_date = vintage.target_date
            - 7 * ((vintage.target_date - vintage.business_date + 6) / 7)
        AND sale.loaded_at <= vintage.cutoff
    ORDER BY sale.loaded_at DESC, sale.load_id DESC
    LIMIT 1
) AS naive ON TRUE;

COMMENT ON VIEW report.forecast_actual IS
    'Published forecasts beside actual sales, by business date, store, item and day ahead';

COMMENT ON COLUMN report.forecast_actual.business_date IS 'last day whose facts the forecast knows';
COMMENT ON COLUMN report.forecast_actual.target_date IS
    'day that is forecast; the last one of its week where the data set has weeks';
COMMENT ON COLUMN report.forecast_actual.horizon IS 'days ahead, from 1; weeks where the data set has weeks';
COMMENT ON COLUMN report.forecast_actual.store_id IS 'store';
COMMENT ON COLUMN report.forecast_actual.store_name IS
    'latest known name; null where none was loaded';
COMMENT ON COLUMN report.forecast_actual.item_id IS 'item';
COMMENT ON COLUMN report.forecast_actual.item_name IS
    'latest known name; null where none was loaded';
COMMENT ON COLUMN report.forecast_actual.category IS
    'latest known category; null where none was loaded';
COMMENT ON COLUMN report.forecast_actual.p10 IS
    'units; sales stay below with a probability of 10 %';
COMMENT ON COLUMN report.forecast_actual.p50 IS
    'units; sales stay below with a probability of 50 %';
COMMENT ON COLUMN report.forecast_actual.p90 IS
    'units; sales stay below with a probability of 90 %';
COMMENT ON COLUMN report.forecast_actual.mean IS
    'units; expected sales: add these up, never the quantiles';
COMMENT ON COLUMN report.forecast_actual.actual IS
    'units sold on target_date, as known latest; 0 where no row of sales says otherwise';
COMMENT ON COLUMN report.forecast_actual.naive IS
    'units; seasonal naive: sold on the same weekday of the last week up to business_date, as '
    'the run knew it; 0 where nothing was';
COMMENT ON COLUMN report.forecast_actual.open IS
    'whether the store was open on target_date; only open days count in report.forecast_accuracy';
COMMENT ON COLUMN report.forecast_actual.version IS 'model version that made the forecast';
COMMENT ON COLUMN report.forecast_actual.generation_id IS 'publication that the row belongs to';
COMMENT ON COLUMN report.forecast_actual.cutoff IS
    'knowledge time of the run: it knew what was loaded until then, and nothing later';
COMMENT ON COLUMN report.forecast_actual.published_at IS 'when it became visible';
COMMENT ON COLUMN report.forecast_actual.gate IS
    'what the gate said of that version last: passed, refused (a person put it in force all the '
    'same), baseline (a formula, until a version passes) or not_judged';
