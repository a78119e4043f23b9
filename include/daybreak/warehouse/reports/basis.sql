-- What each published generation stands on: generations of other models, and what these stand on.
CREATE VIEW report.basis AS
SELECT
    own.model,
    own.business_date,
    own.generation_id,
    upstream.model AS upstream,
    upstream.generation_id AS upstream_generation_id,
    upstream.state,
    upstream.ended_at,
    pointer.generation_id AS published_instead
FROM ops.published AS own
JOIN ops.generation AS generation ON generation.generation_id = own.generation_id
JOIN ops.snapshot_upstream AS stands ON stands.snapshot_id = generation.snapshot_id
JOIN ops.generation AS upstream ON upstream.generation_id = stands.generation_id
LEFT JOIN ops.published AS pointer
    ON pointer.model = upstream.model
    AND pointer.business_date = upstream.business_date
    AND pointer.generation_id <> upstream.generation_id;

COMMENT ON VIEW report.basis IS
    'Published generations that stand on scores of other models, and what became of these scores';

COMMENT ON COLUMN report.basis.model IS 'model';
COMMENT ON COLUMN report.basis.business_date IS 'of its scores';
COMMENT ON COLUMN report.basis.generation_id IS 'that is published';
COMMENT ON COLUMN report.basis.upstream IS 'model whose scores it was made from';
COMMENT ON COLUMN report.basis.upstream_generation_id IS 'generation of these scores';
COMMENT ON COLUMN report.basis.state IS
    'of that generation: published; superseded, as another one followed; rolled_back, as it was '
    'wrong: then score the day again';
COMMENT ON COLUMN report.basis.ended_at IS
    'since when it is not published any more; null while it is';
COMMENT ON COLUMN report.basis.published_instead IS
    'generation that is published in its place; null where it is published itself, or none is';
