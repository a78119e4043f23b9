-- The lists in force: those of the newest published business date.
CREATE VIEW report.recommendation AS
SELECT *
FROM report.recommendation_vintages
WHERE business_date = (
    SELECT max(business_date) FROM ops.published WHERE model = 'recommendations'
);

COMMENT ON VIEW report.recommendation IS
    'The recommendations in force: those of the newest published business date';
