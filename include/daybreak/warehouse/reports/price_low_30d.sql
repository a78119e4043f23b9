-- The lowest price of the 30 days before any date: for a date D, of the days D-30 to D-1.
--
-- A price that was in force on the days a to b counts for the dates a+1 to b+30. Where one of these
-- spans begins or ends the lowest may change; between two such dates it does not.
CREATE VIEW report.price_low_30d AS
WITH price AS NOT MATERIALIZED (  -- so that a filter on store and item reaches both readings
    SELECT
        store_id, item_id, currency, decimals, price, first_day,
        coalesce(last_day, DATE '9999-12-31') AS last_day
    FROM report.price_history
),
span AS (
    SELECT
        *,
        coalesce(
            lead(first_day) OVER (
                PARTITION BY store_id, item_id, currency, decimals ORDER BY first_day
            ) - 1,
            DATE '9999-12-31'
        ) AS last_day
    FROM (
        SELECT store_id, item_id, currency, decimals, first_day + 1 AS first_day FROM price
        UNION
        SELECT store_id, item_id, currency, decimals, last_day + 31 FROM price
        WHERE last_day < DATE '9999-12-31'
    ) AS edge
)
SELECT
    span.store_id,
    span.item_id,
    span.first_day,
    span.last_day,
    min(price.price) AS price,
    round(min(price.price) / 10::numeric ^ span.decimals, span.decimals) AS amount,
    span.currency,
    span.decimals
FROM span
JOIN price
    ON price.store_id = span.store_id
    AND price.item_id = span.item_id
    AND price.currency = span.currency
    AND price.decimals = span.decimals
    AND price.first_day < span.first_day
    AND price.last_day >= span.first_day - 30
GROUP BY
    span.store_id, span.item_id, span.currency, span.decimals, span.first_day, span.last_day;

COMMENT ON VIEW report.price_low_30d IS
    'The lowest price of the 30 days before any date from first_day to last_day';

COMMENT ON COLUMN report.price_low_30d.store_id IS 'store';
COMMENT ON COLUMN report.price_low_30d.item_id IS 'item';
COMMENT ON COLUMN report.price_low_30d.first_day IS
    'first date that it holds for: ask with WHERE date BETWEEN first_day AND last_day; a date '
    'without a row had no price in its 30 days before';
COMMENT ON COLUMN report.price_low_30d.last_day IS
    'last date that it holds for; 9999-12-31 while the price in force stays';
COMMENT ON COLUMN report.price_low_30d.price IS
    'minor units; lowest price in force on any part of the days from date - 30 to date - 1, days '
    'of the time zone of the shop';
COMMENT ON COLUMN report.price_low_30d.amount IS 'the same in the currency itself, such as 1.99';
COMMENT ON COLUMN report.price_low_30d.currency IS
    'ISO 4217 code; prices in several currencies have a row each';
COMMENT ON COLUMN report.price_low_30d.decimals IS 'of the currency: 2 where 199 is 1.99';
