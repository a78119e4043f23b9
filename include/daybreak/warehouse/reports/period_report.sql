-- Reports that were made: one row a report. Of several about a period the newest is the report.
CREATE VIEW report.period_report AS
SELECT
    made.model,
    made.period,
    made.name,
    made.first_date,
    made.last_date,
    made.known_at,
    made.nights,
    made.report_id = max(made.report_id) OVER (PARTITION BY made.model, made.period) AS newest,
    made.uri,
    made.files,
    made.made_at,
    made.report_id
FROM ops.period_report AS made;

COMMENT ON VIEW report.period_report IS 'Reports of models over a day, a week or a month';

COMMENT ON COLUMN report.period_report.model IS 'model';
COMMENT ON COLUMN report.period_report.period IS
    'a day as 2026-07-20, an ISO week as 2026-W30 or a month as 2026-07';
COMMENT ON COLUMN report.period_report.name IS
    'names it among those of its period: its knowledge time, and a hash of what is in it';
COMMENT ON COLUMN report.period_report.first_date IS 'first day of the period';
COMMENT ON COLUMN report.period_report.last_date IS 'last day of the period';
COMMENT ON COLUMN report.period_report.known_at IS
    'knowledge time: all its numbers are what was known then';
COMMENT ON COLUMN report.period_report.nights IS
    'business dates of the period that the model had published; 0: it says nothing of scores';
COMMENT ON COLUMN report.period_report.newest IS
    'whether it is the newest of its model and period';
COMMENT ON COLUMN report.period_report.uri IS 'folder of its files in the registry''s store';
COMMENT ON COLUMN report.period_report.files IS 'JSON: file name to sha256';
COMMENT ON COLUMN report.period_report.made_at IS 'when all of its files were there';
COMMENT ON COLUMN report.period_report.report_id IS 'grows with each report';
