-- What was loaded: one row a file, query or live stream.
CREATE VIEW report.load AS
SELECT
    load_id,
    dataset,
    source,
    uri,
    rows_read,
    rows_loaded,
    rows_quarantined,
    rules,
    first_date,
    last_date,
    finished_at
FROM ops.load;

COMMENT ON VIEW report.load IS 'What was loaded, file by file';

COMMENT ON COLUMN report.load.load_id IS 'load';
COMMENT ON COLUMN report.load.dataset IS 'data set';
COMMENT ON COLUMN report.load.source IS 'section of the data set''s file, such as sales';
COMMENT ON COLUMN report.load.uri IS 'file or query that was read';
COMMENT ON COLUMN report.load.rows_read IS 'rows that it had';
COMMENT ON COLUMN report.load.rows_loaded IS
    'new rows in the warehouse, after days were added up; 0 where all was known';
COMMENT ON COLUMN report.load.rows_quarantined IS 'rows that were refused, see report.quarantine';
COMMENT ON COLUMN report.load.rules IS 'JSON: rule to how many rows it dropped or changed';
COMMENT ON COLUMN report.load.first_date IS 'first business date in it; null where it has none';
COMMENT ON COLUMN report.load.last_date IS 'last business date in it; null where it has none';
COMMENT ON COLUMN report.load.finished_at IS 'when it was loaded';
