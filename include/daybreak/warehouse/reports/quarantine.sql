-- Rows that were refused, each with the reason.
CREATE VIEW report.quarantine AS
SELECT
    refused.load_id,
    load.source,
    load.uri,
    refused.row_number,
    refused.field,
    refused.reason,
    refused.row,
    refused.quarantined_at
FROM raw.quarantine AS refused
LEFT JOIN ops.load AS load ON load.load_id = refused.load_id;

COMMENT ON VIEW report.quarantine IS 'Rows that were refused when they were loaded';

COMMENT ON COLUMN report.quarantine.load_id IS 'load, see report.load';
COMMENT ON COLUMN report.quarantine.source IS 'section of the data set''s file, such as sales';
COMMENT ON COLUMN report.quarantine.uri IS 'file or query that had the row';
COMMENT ON COLUMN report.quarantine.row_number IS 'place in it; 1 is the first row of data';
COMMENT ON COLUMN report.quarantine.field IS 'field that is wrong; null where the whole row is';
COMMENT ON COLUMN report.quarantine.reason IS 'what is wrong with it';
COMMENT ON COLUMN report.quarantine.row IS 'JSON: the row as it was read';
COMMENT ON COLUMN report.quarantine.quarantined_at IS 'when it was refused';
