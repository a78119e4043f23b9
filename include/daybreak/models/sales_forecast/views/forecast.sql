-- The forecast in force: that of the newest published business date.
CREATE VIEW report.forecast AS
SELECT *
FROM report.forecast_vintages
WHERE business_date = (
    SELECT max(business_date) FROM ops.published WHERE model = 'sales_forecast'
);

COMMENT ON VIEW report.forecast IS
    'The sales forecast in force: that of the newest published business date';
