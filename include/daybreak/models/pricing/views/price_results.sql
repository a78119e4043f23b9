-- What became of the prices of each published business date, in sum.
CREATE VIEW report.price_results AS
SELECT
    outcome.business_date,
    outcome.currency,
    count(*) AS prices,
    count(*) FILTER (WHERE outcome.state = 'open') AS open,
    count(*) FILTER (WHERE one.moves) AS changes,
    count(*) FILTER (WHERE one.moves AND outcome.state = 'closed') AS changes_closed,
    count(*) FILTER (WHERE one.moves AND one.held) AS changes_in_force,
    sum(outcome.current_margin) FILTER (WHERE one.moves AND one.counts) AS margin_before,
    sum(outcome.margin) FILTER (WHERE one.moves AND one.counts) AS margin,
    sum(outcome.actual_margin) FILTER (WHERE one.moves AND one.counts) AS actual_margin,
    count(*) FILTER (WHERE NOT one.moves AND one.held) AS kept,
    sum(outcome.margin) FILTER (WHERE NOT one.moves AND one.counts) AS kept_margin,
    sum(outcome.actual_margin) FILTER (WHERE NOT one.moves AND one.counts) AS kept_actual_margin,
    avg(outcome.within::int)::float8 AS within,
    count(*) FILTER (WHERE outcome.stopped <> '') AS stopped,
    max(outcome.gap) AS gap,
    (
        SELECT jsonb_object_agg(night.rule, night.prices)
        FROM report.price_night AS night
        WHERE night.business_date = outcome.business_date
            AND night.what = 'stays'
            AND night.rule <> ''
    ) AS stays_by,
    outcome.generation_id,
    outcome.basis
FROM report.price_outcome AS outcome
CROSS JOIN LATERAL (
    SELECT
        outcome.price <> outcome.current_price AS moves,
        coalesce(outcome.days_in_force = outcome.days, FALSE) AS held,
        coalesce(outcome.days_in_force = outcome.days, FALSE)
            AND outcome.actual_margin IS NOT NULL AS counts
) AS one
GROUP BY outcome.business_date, outcome.currency, outcome.generation_id, outcome.basis;

COMMENT ON VIEW report.price_results IS
    'What became of the prices of each published business date, in sum';

COMMENT ON COLUMN report.price_results.business_date IS 'of the proposals';
COMMENT ON COLUMN report.price_results.currency IS 'ISO 4217; all margins are in it';
COMMENT ON COLUMN report.price_results.prices IS 'that there were';
COMMENT ON COLUMN report.price_results.open IS
    'of them those whose days are not all closed; they are in prices and changes alone';
COMMENT ON COLUMN report.price_results.changes IS 'of the prices, those that were to change';
COMMENT ON COLUMN report.price_results.changes_closed IS
    'of these, those whose days are all closed';
COMMENT ON COLUMN report.price_results.changes_in_force IS
    'of these, those whose proposed price was in force on all of their days';
COMMENT ON COLUMN report.price_results.margin_before IS
    'of changes_in_force: expected, had they kept their price; where cost and prices are known';
COMMENT ON COLUMN report.price_results.margin IS 'of the same: expected at the proposed prices';
COMMENT ON COLUMN report.price_results.actual_margin IS 'of the same: what came true';
COMMENT ON COLUMN report.price_results.kept IS
    'prices that were to stay and did, on all of their days, which are closed';
COMMENT ON COLUMN report.price_results.kept_margin IS
    'of these: expected; where cost and prices are known';
COMMENT ON COLUMN report.price_results.kept_actual_margin IS 'of the same: what came true';
COMMENT ON COLUMN report.price_results.within IS
    'of changes_in_force and kept, the share that sold between P10 and P90, 0 to 1; 0.8 or more is '
    'expected';
COMMENT ON COLUMN report.price_results.stopped IS
    'of the prices, those whose search ended before it was sure of the best';
COMMENT ON COLUMN report.price_results.gap IS
    'largest share of what could be gained that a search did not find';
COMMENT ON COLUMN report.price_results.stays_by IS
    'how many prices each rule let stay: rule to number, as JSON; null: none';
COMMENT ON COLUMN report.price_results.generation_id IS 'generation of the proposals';
COMMENT ON COLUMN report.price_results.basis IS
    'what became of the forecast that they were made from: published, superseded or rolled_back';
