-- What was sold, as known latest. Asked for a series and some dates, it reads just these.
CREATE VIEW report.sales AS
SELECT DISTINCT ON (sale.store_id, sale.item_id, sale.business_date)
    sale.business_date,
    sale.store_id,
    sale.item_id,
    sale.units,
    sale.price,
    sale.promotion,
    sale.open
FROM raw.sales AS sale
ORDER BY
    sale.store_id, sale.item_id, sale.business_date, sale.loaded_at DESC, sale.load_id DESC;

COMMENT ON VIEW report.sales IS 'What was sold by day, store and item, as known latest';

COMMENT ON COLUMN report.sales.business_date IS
    'day; the last one of its week where the data set has weeks';
COMMENT ON COLUMN report.sales.store_id IS 'store';
COMMENT ON COLUMN report.sales.item_id IS 'item';
COMMENT ON COLUMN report.sales.units IS
    'units sold, as known latest; a closed day without a row sold 0';
COMMENT ON COLUMN report.sales.price IS 'price of a unit; null where the data set has none';
COMMENT ON COLUMN report.sales.promotion IS
    'promotion of the day, as the data set measures it; null where it has none';
COMMENT ON COLUMN report.sales.open IS
    'whether the store was open; null where the data set does not say';
