-- What was proposed for each item in each store, of each published business date.
CREATE VIEW report.price_proposals AS
SELECT
    score.business_date,
    score.store_id,
    score.item_id,
    rules.currency,
    round(score.current_price::numeric / rules.scale, rules.decimals) AS current_price,
    round(score.price::numeric / rules.scale, rules.decimals) AS price,
    round(score.lowest_price::numeric / rules.scale, rules.decimals) AS lowest_price,
    round(score.highest_price::numeric / rules.scale, rules.decimals) AS highest_price,
    score.current_units,
    score.units,
    score.units_p10,
    score.units_p90,
    score.current_margin::float8 / rules.scale::float8 AS current_margin,
    score.margin::float8 / rules.scale::float8 AS margin,
    score.elasticity,
    score.elasticity_low,
    score.elasticity_high,
    score.rule,
    score.lowest_rule,
    score.highest_rule,
    score.place::int AS place,
    score.gap,
    score.stopped,
    score.judged_by,
    score.generation_id,
    generation.version,
    pointer.published_at,
    coalesce(verdict.gate, 'not_judged') AS gate,
    basis.state AS basis
FROM ops.published AS pointer
JOIN ops.generation AS generation USING (generation_id)
JOIN score.pricing AS score
    ON score.business_date = pointer.business_date
    AND score.generation_id = pointer.generation_id
CROSS JOIN LATERAL (
    SELECT
        book.rules ->> 'currency' AS currency,
        book.decimals::int AS decimals,
        10::numeric ^ book.decimals AS scale
    FROM ops.price_rules AS book
    WHERE book.known_from <= generation.cutoff
    ORDER BY book.known_from DESC
    LIMIT 1
) AS rules
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
    ON verdict.model = generation.model AND verdict.version = generation.version
WHERE pointer.model = 'pricing';

COMMENT ON VIEW report.price_proposals IS
    'What was proposed for each item in each store, of each published business date';

COMMENT ON COLUMN report.price_proposals.business_date IS
    'the last day whose facts were known; the price is from the next day on';
COMMENT ON COLUMN report.price_proposals.store_id IS 'store';
COMMENT ON COLUMN report.price_proposals.item_id IS 'item';
COMMENT ON COLUMN report.price_proposals.currency IS 'ISO 4217';
COMMENT ON COLUMN report.price_proposals.current_price IS 'that was in force';
COMMENT ON COLUMN report.price_proposals.price IS 'proposed; the current one where nothing changes';
COMMENT ON COLUMN report.price_proposals.lowest_price IS 'that the rules admit';
COMMENT ON COLUMN report.price_proposals.highest_price IS 'that the rules admit';
COMMENT ON COLUMN report.price_proposals.current_units IS
    'expected at the current price, in the days that a price is judged by';
COMMENT ON COLUMN report.price_proposals.units IS 'expected at the proposed price';
COMMENT ON COLUMN report.price_proposals.units_p10 IS
    'at the proposed price, if all days were at their P10';
COMMENT ON COLUMN report.price_proposals.units_p90 IS
    'at the proposed price, if all days were at their P90';
COMMENT ON COLUMN report.price_proposals.current_margin IS
    'expected at the current price; revenue where the cost is not known';
COMMENT ON COLUMN report.price_proposals.margin IS
    'expected at the proposed price; revenue where the cost is not known';
COMMENT ON COLUMN report.price_proposals.elasticity IS
    'change of units in per cent for a price one per cent higher; 0 where it is not known';
COMMENT ON COLUMN report.price_proposals.elasticity_low IS 'a tenth of what it may be is below';
COMMENT ON COLUMN report.price_proposals.elasticity_high IS 'a tenth of what it may be is above';
COMMENT ON COLUMN report.price_proposals.rule IS
    'that keeps the price from going further, or lets it stay; two that leave it nothing as '
    '«one and other»; '''' for none';
COMMENT ON COLUMN report.price_proposals.lowest_rule IS 'that sets the lowest price';
COMMENT ON COLUMN report.price_proposals.highest_rule IS 'that sets the highest price';
COMMENT ON COLUMN report.price_proposals.place IS
    'how many changes gain as much or more, those of one group counted together; 0 for none';
COMMENT ON COLUMN report.price_proposals.gap IS
    'of the most that the prices solved together could gain, the share that was not found; 0 where '
    'nothing better exists';
COMMENT ON COLUMN report.price_proposals.stopped IS
    'what ended the search before it was sure of the best: nodes, cells, or seconds, where another '
    'run may find other prices; '''' for none';
COMMENT ON COLUMN report.price_proposals.judged_by IS
    'a sign for each day after business_date, or week: 1 where the price is judged by it, 0 where a '
    'promotion is planned';
COMMENT ON COLUMN report.price_proposals.generation_id IS 'generation of the row';
COMMENT ON COLUMN report.price_proposals.version IS 'version of the model';
COMMENT ON COLUMN report.price_proposals.published_at IS 'when it became visible';
COMMENT ON COLUMN report.price_proposals.gate IS
    'what the gate said of the version: passed, refused, baseline or not_judged';
COMMENT ON COLUMN report.price_proposals.basis IS
    'what became of the forecast that it was made from: published, superseded (another one followed) '
    'or rolled_back (it was wrong: score the day again)';
