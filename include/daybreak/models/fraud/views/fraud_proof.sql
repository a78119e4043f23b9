-- What the night found last when it made the decisions of a day again.
CREATE VIEW report.fraud_proof AS
SELECT
    newest.business_date,
    -- Tiles are what the next decisions stand on, so a wrong one is no lesser finding.
    newest.differing = 0 AND newest.wrong_tiles = 0 AND newest.decisions >= made.decisions
        AS proven,
    newest.decisions,
    made.decisions AS decisions_made,
    newest.differing,
    newest.wrong_tiles,
    newest.finding,
    newest.proven_at,
    newest.run_key
FROM (
    SELECT DISTINCT ON (proof.business_date) proof.*
    FROM ops.proof AS proof
    WHERE proof.model = 'fraud'
    ORDER BY proof.business_date, proof.proven_at DESC, proof.run_key COLLATE "C" DESC
) AS newest
-- A day at a time by its index, which holds all that is counted.
CROSS JOIN LATERAL (
    SELECT count(*) AS decisions
    FROM ops.decision AS decision
    WHERE decision.model = 'fraud' AND decision.business_date = newest.business_date
) AS made;

COMMENT ON VIEW report.fraud_proof IS
    'What the night found last when it made the decisions about the events of a day again';

COMMENT ON COLUMN report.fraud_proof.business_date IS 'day of the events';
COMMENT ON COLUMN report.fraud_proof.proven IS
    'whether nothing differs, no tile is wrong, and no decision was made about the day since';
COMMENT ON COLUMN report.fraud_proof.decisions IS 'decisions about events of the day, made again';
COMMENT ON COLUMN report.fraud_proof.decisions_made IS
    'decisions about events of the day that there are by now; late events bring more, and the next '
    'night proves them';
COMMENT ON COLUMN report.fraud_proof.differing IS
    'decisions that came out otherwise, in any bit of a feature or of the answer';
COMMENT ON COLUMN report.fraud_proof.wrong_tiles IS
    'tiles that differ from the log, which the night of that day found';
COMMENT ON COLUMN report.fraud_proof.finding IS 'the first of what is wrong; '''' for nothing';
COMMENT ON COLUMN report.fraud_proof.proven_at IS 'when that was found';
COMMENT ON COLUMN report.fraud_proof.run_key IS 'run that found it';
