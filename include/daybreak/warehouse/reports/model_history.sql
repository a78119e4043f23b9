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
