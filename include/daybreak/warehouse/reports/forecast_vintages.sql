-- Every published sales forecast: one row a business date, store, item and day ahead.
CREATE VIEW report.forecast_vintages AS
SELECT
    pointer.business_date,
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
    pointer.published_at,
    coalesce(verdict.gate, 'not_judged') AS gate
FROM ops.published AS pointer
JOIN ops.generation AS generation USING (generation_id)
LEFT JOIN report.version_gate AS verdict
    ON verdict.model = generation.model AND verdict.version = generation.version
JOIN score.sales_forecast AS score
    -- The date prunes the partitions, the generation is what the pointer is about.
    ON score.business_date = pointer.business_date
    AND score.generation_id = pointer.generation_id
LEFT JOIN (
    SELECT DISTINCT ON (store_id) store_id, name
    FROM raw.store
    ORDER BY store_id, loaded_at DESC, load_id DESC
) AS store ON store.store_id = score.store_id
LEFT JOIN (
    SELECT DISTINCT ON (item_id) item_id, name, category
    FROM raw.item
    ORDER BY item_id, loaded_at DESC, load_id DESC
) AS item ON item.item_id = score.item_id
WHERE pointer.model = 'sales_forecast';

COMMENT ON VIEW report.forecast_vintages IS
    'Every published sales forecast, by business date, store, item and day ahead';
