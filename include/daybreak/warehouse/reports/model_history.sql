-- Every version, and when it was champion: one row an entry of the ledger, and one for each
-- version that never was champion.
CREATE VIEW report.model_history AS
SELECT
    version.model,
    version.version,
    version.trained_through,
    version.registered_at,
    entry.effective_from,
    entry.until,
    entry.recorded_at,
    entry.actor,
    entry.reason,
    entry.evidence,
    version.manifest -> 'metrics' AS metrics,
    verdict.gate,
    verdict.judged_at,
    verdict.gate_reason,
    verdict.measure,
    verdict.value,
    verdict.baseline,
    verdict.baseline_value
FROM ops.model_version AS version
JOIN report.version_gate AS verdict USING (model, version)
LEFT JOIN (
    SELECT
        *,
        lead(effective_from) OVER (
            PARTITION BY model ORDER BY effective_from, entry_id
        ) AS until
    FROM ops.champion
) AS entry USING (model, version);

COMMENT ON VIEW report.model_history IS
    'Versions of each model, when each was champion, why, and what its gate measured';

COMMENT ON COLUMN report.model_history.model IS 'model';
COMMENT ON COLUMN report.model_history.version IS 'version';
COMMENT ON COLUMN report.model_history.trained_through IS
    'last business date that the version learned from';
COMMENT ON COLUMN report.model_history.registered_at IS 'when it was registered';
COMMENT ON COLUMN report.model_history.effective_from IS
    'knowledge time from which on its runs are scored by it; null where it never was champion';
COMMENT ON COLUMN report.model_history.until IS
    'knowledge time at which the next champion followed; null for the last, and where it never '
    'was champion';
COMMENT ON COLUMN report.model_history.recorded_at IS 'when it was promoted';
COMMENT ON COLUMN report.model_history.actor IS 'who or what promoted it';
COMMENT ON COLUMN report.model_history.reason IS 'why';
COMMENT ON COLUMN report.model_history.evidence IS
    'JSON: what the gate measured when it was promoted';
COMMENT ON COLUMN report.model_history.metrics IS 'JSON: what the training measured';
COMMENT ON COLUMN report.model_history.gate IS
    'what the gate said of the version last: passed, refused, baseline or not_judged';
COMMENT ON COLUMN report.model_history.judged_at IS
    'when the gate said so; null where it never did';
COMMENT ON COLUMN report.model_history.gate_reason IS 'why it said so';
COMMENT ON COLUMN report.model_history.measure IS
    'measure that the gate goes by first, such as WAPE or NDCG@10';
COMMENT ON COLUMN report.model_history.value IS 'what the version reached by it';
COMMENT ON COLUMN report.model_history.baseline IS 'best baseline by that measure';
COMMENT ON COLUMN report.model_history.baseline_value IS 'what that baseline reached';
