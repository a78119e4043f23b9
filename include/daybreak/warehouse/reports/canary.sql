-- Versions that were or are tried beside the one in force: one row an entry of the ledger.
CREATE VIEW report.canary AS
SELECT
    entry.model,
    entry.kind,
    entry.version,
    entry.share,
    entry.serve_from,
    entry.until,
    entry.recorded_at,
    entry.actor,
    entry.reason,
    verdict.gate
FROM (
    SELECT
        *,
        lead(serve_from) OVER (PARTITION BY model, kind ORDER BY entry_id) AS until
    FROM ops.trial
) AS entry
JOIN report.version_gate AS verdict USING (model, version);

COMMENT ON VIEW report.canary IS
    'Versions tried beside the one in force: for a share of the entities, or unseen';

COMMENT ON COLUMN report.canary.model IS 'model';
COMMENT ON COLUMN report.canary.kind IS
    'canary: it answers for a share of the entities; shadow: it is asked beside what answers';
COMMENT ON COLUMN report.canary.version IS 'version that is tried';
COMMENT ON COLUMN report.canary.share IS 'share of the entities that it is asked about, 0 to 1';
COMMENT ON COLUMN report.canary.serve_from IS 'from when on';
COMMENT ON COLUMN report.canary.until IS
    'when it was stopped, or another version or share followed; null for what is tried still';
COMMENT ON COLUMN report.canary.recorded_at IS 'when it was started';
COMMENT ON COLUMN report.canary.actor IS 'who or what started it';
COMMENT ON COLUMN report.canary.reason IS 'why';
COMMENT ON COLUMN report.canary.gate IS
    'what the gate said of the version last: passed, refused, baseline or not_judged';
