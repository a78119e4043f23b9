-- Every published recommendation: one row a business date, user and rank.
CREATE VIEW report.recommendation_vintages AS
SELECT
    -- Not the pointer's: so a range of dates prunes the partitions when the query is planned.
    score.business_date,
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
    generation.cutoff,
    pointer.published_at,
    coalesce(verdict.gate, 'not_judged') AS gate
FROM score.recommendation AS score
JOIN ops.published AS pointer
    ON pointer.business_date = score.business_date
    AND pointer.generation_id = score.generation_id
    AND pointer.model = 'recommendations'
JOIN ops.generation AS generation ON generation.generation_id = pointer.generation_id
LEFT JOIN report.version_gate AS verdict
    ON verdict.model = generation.model AND verdict.version = generation.version
-- Looked up an item at a time, each once (Memoize): no question reads all names.
LEFT JOIN LATERAL (
    SELECT known.name, known.category
    FROM raw.item AS known
    WHERE known.item_id = score.item_id
    ORDER BY known.loaded_at DESC, known.load_id DESC
    LIMIT 1
) AS item ON TRUE
LEFT JOIN LATERAL (
    SELECT known.name
    FROM raw.item AS known
    WHERE known.item_id = score.because
    ORDER BY known.loaded_at DESC, known.load_id DESC
    LIMIT 1
) AS because ON TRUE;

COMMENT ON VIEW report.recommendation_vintages IS
    'Every published recommendation, by business date, user and rank';

COMMENT ON COLUMN report.recommendation_vintages.business_date IS
    'last day whose facts the list knows';
COMMENT ON COLUMN report.recommendation_vintages.user_id IS 'user; '''' for the default list';
COMMENT ON COLUMN report.recommendation_vintages.is_default IS
    'whether this is the list for everybody without a history';
COMMENT ON COLUMN report.recommendation_vintages.rank IS 'place on the list, from 1, the best';
COMMENT ON COLUMN report.recommendation_vintages.item_id IS 'item';
COMMENT ON COLUMN report.recommendation_vintages.item_name IS
    'latest known name; null where none was loaded';
COMMENT ON COLUMN report.recommendation_vintages.category IS
    'latest known category; null where none was loaded';
COMMENT ON COLUMN report.recommendation_vintages.score IS
    'orders the list of one user; says nothing between users';
COMMENT ON COLUMN report.recommendation_vintages.reason IS
    'strongest source of the item: again, together, similar, trending or popular';
COMMENT ON COLUMN report.recommendation_vintages.because IS
    'item that the reason names; '''' where it names none';
COMMENT ON COLUMN report.recommendation_vintages.because_name IS
    'latest known name of that item; null where there is none';
COMMENT ON COLUMN report.recommendation_vintages.reason_text IS
    'the reason to read, such as: bought together with Cup';
COMMENT ON COLUMN report.recommendation_vintages.version IS 'model version that made the list';
COMMENT ON COLUMN report.recommendation_vintages.generation_id IS
    'publication that the row belongs to';
COMMENT ON COLUMN report.recommendation_vintages.cutoff IS
    'knowledge time of the run: it knew what was loaded until then, and nothing later';
COMMENT ON COLUMN report.recommendation_vintages.published_at IS 'when it became visible';
COMMENT ON COLUMN report.recommendation_vintages.gate IS
    'what the gate said of that version last: passed, refused (a person put it in force all the '
    'same), baseline (a formula, until a version passes) or not_judged';
