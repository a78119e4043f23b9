-- Items by their latest known names.
CREATE VIEW report.item AS
SELECT DISTINCT ON (known.item_id)
    known.item_id,
    known.name AS item_name,
    known.category
FROM raw.item AS known
ORDER BY known.item_id, known.loaded_at DESC, known.load_id DESC;

COMMENT ON VIEW report.item IS 'Items by their latest known names';

COMMENT ON COLUMN report.item.item_id IS 'item';
COMMENT ON COLUMN report.item.item_name IS 'latest known name; null where none was loaded';
COMMENT ON COLUMN report.item.category IS 'latest known category; null where none was loaded';
