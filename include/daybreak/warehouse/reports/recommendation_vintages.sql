-- Every published recommendation: one row a business date, user and rank.
CREATE VIEW report.recommendation_vintages AS
WITH item AS (
    SELECT DISTINCT ON (item_id) item_id, name, category
    FROM raw.item
    ORDER BY item_id, loaded_at DESC, load_id DESC
)
SELECT
    pointer.business_date,
    score.user_id,
    score.user_id = '' AS is_default,
    score.rank,
    score.item_id,
    item.name AS item_name,
    item.category,
    score.score,
    score.reason,
    score.because,
    because.name AS because_name,
    CASE
        WHEN score.because = '' THEN score.reason
        WHEN score.reason = 'together'
            THEN 'bought together with ' || coalesce(because.name, score.because)
        WHEN score.reason = 'similar' THEN 'similar to ' || coalesce(because.name, score.because)
        ELSE score.reason
    END AS reason_text,
    generation.version,
    generation.generation_id,
    pointer.published_at,
    coalesce(verdict.gate, 'not_judged') AS gate
FROM ops.published AS pointer
JOIN ops.generation AS generation USING (generation_id)
LEFT JOIN report.version_gate AS verdict
    ON verdict.model = generation.model AND verdict.version = generation.version
JOIN score.recommendation AS score
    -- The date prunes the partitions, the generation is what the pointer is about.
    ON score.business_date = pointer.business_date
    AND score.generation_id = pointer.generation_id
LEFT JOIN item ON item.item_id = score.item_id
LEFT JOIN item AS because ON because.item_id = score.because
WHERE pointer.model = 'recommendations';

COMMENT ON VIEW report.recommendation_vintages IS
    'Every published recommendation, by business date, user and rank';
