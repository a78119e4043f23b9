-- What became of the prices of each published business date, and which rules bound how many.
CREATE VIEW report.price_night AS
SELECT
    proposal.business_date,
    bound.what,
    proposal.rule,
    count(*) AS prices,
    count(*)::float8 / sum(count(*)) OVER (PARTITION BY proposal.business_date)::float8 AS share,
    sum(proposal.margin - proposal.current_margin) AS gain,
    count(*) FILTER (WHERE proposal.stopped <> '') AS stopped,
    max(proposal.gap) AS gap,
    proposal.generation_id
FROM report.price_proposals AS proposal
CROSS JOIN LATERAL (
    SELECT
        CASE
            WHEN proposal.price > proposal.current_price THEN 'rises'
            WHEN proposal.price < proposal.current_price THEN 'falls'
            ELSE 'stays'
        END AS what
) AS bound
GROUP BY proposal.business_date, proposal.generation_id, bound.what, proposal.rule;

COMMENT ON VIEW report.price_night IS
    'What became of the prices of each published business date, and which rules bound how many';

COMMENT ON COLUMN report.price_night.business_date IS 'of the proposals';
COMMENT ON COLUMN report.price_night.what IS 'rises, falls, stays';
COMMENT ON COLUMN report.price_night.rule IS
    'that keeps a price from going further, or lets it stay; '''' for none';
COMMENT ON COLUMN report.price_night.prices IS 'how many';
COMMENT ON COLUMN report.price_night.share IS 'of all prices of the day, 0 to 1';
COMMENT ON COLUMN report.price_night.gain IS
    'expected margin at the proposed prices less that at the current ones';
COMMENT ON COLUMN report.price_night.stopped IS
    'of the prices, those whose search ended before it was sure of the best';
COMMENT ON COLUMN report.price_night.gap IS
    'largest share of what could be gained that a search did not find; 0: nothing better exists';
COMMENT ON COLUMN report.price_night.generation_id IS 'generation of the rows';
