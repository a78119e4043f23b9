-- What the gate said of each registered version last, and the one measure that it goes by first.
CREATE VIEW report.version_gate AS
SELECT
    version.model,
    version.version,
    CASE
        WHEN newest.evidence ? 'baseline' THEN 'baseline'
        WHEN newest.passed THEN 'passed'
        WHEN NOT newest.passed THEN 'refused'
        ELSE 'not_judged'
    END AS gate,
    newest.judged_at,
    newest.reason AS gate_reason,
    newest.measure,
    newest.value,
    newest.baseline,
    newest.baseline_value
FROM ops.model_version AS version
LEFT JOIN LATERAL (
    SELECT *
    FROM ops.verdict AS verdict
    WHERE verdict.model = version.model AND verdict.version = version.version
    ORDER BY verdict.verdict_id DESC
    LIMIT 1
) AS newest ON true;

COMMENT ON VIEW report.version_gate IS
    'What the gate said of each registered version last: passed, refused, baseline or not_judged';

COMMENT ON COLUMN report.version_gate.model IS 'model';
COMMENT ON COLUMN report.version_gate.version IS 'registered version';
COMMENT ON COLUMN report.version_gate.gate IS
    'what the gate said of the version last: passed, refused, baseline or not_judged';
COMMENT ON COLUMN report.version_gate.judged_at IS 'when the gate said so; null where it never did';
COMMENT ON COLUMN report.version_gate.gate_reason IS 'why it said so';
COMMENT ON COLUMN report.version_gate.measure IS
    'measure that the gate goes by first, such as WAPE or NDCG@10';
COMMENT ON COLUMN report.version_gate.value IS 'what the version reached by it';
COMMENT ON COLUMN report.version_gate.baseline IS 'best baseline by that measure';
COMMENT ON COLUMN report.version_gate.baseline_value IS 'what that baseline reached';
