-- What an announcement of each price reduction has to show and to be computed from.
--
-- The prior price is the lowest of the 30 days before the day on which the reduction begins, and of
-- that day until then (Directive 98/6/EC, article 6a(1) and (2)), and percentages are computed from
-- it (CJEU, C-330/23). It stays what it is for as long as the reduction lasts.
CREATE VIEW report.price_was AS
WITH price AS NOT MATERIALIZED (  -- so that a filter on store and item reaches every reading
    SELECT *, coalesce(last_day, DATE '9999-12-31') AS until_day FROM report.price_history
),
line AS (
    SELECT
        *,
        lag(price) OVER earlier AS price_before,
        lag(valid_to) OVER earlier AS end_before,
        (lag(currency) OVER earlier, lag(decimals) OVER earlier)
            IS DISTINCT FROM (currency, decimals) AS in_another_currency,
        min(first_day) OVER all_of_it AS known_since,
        last_value(valid_to) OVER all_of_it AS end_of_all
    FROM price
    WINDOW
        earlier AS (PARTITION BY store_id, item_id ORDER BY valid_from),
        all_of_it AS (earlier ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
),
-- Equal prices in a row are one.
change AS (
    SELECT
        *,
        price < price_before AND NOT in_another_currency AS reduced,
        coalesce(lead(end_before) OVER later, end_of_all) AS end_of_price,
        lag(price < price_before AND NOT in_another_currency) OVER later AS reduced_before
    FROM line
    WHERE price <> price_before OR end_before IS DISTINCT FROM valid_from OR in_another_currency
    WINDOW later AS (PARTITION BY store_id, item_id ORDER BY valid_from)
),
-- Reductions that follow one another, with no rise and no time off sale between them.
campaign AS (
    SELECT
        *,
        count(*) FILTER (WHERE NOT (reduced AND reduced_before AND end_before = valid_from))
            OVER (PARTITION BY store_id, item_id ORDER BY valid_from) AS campaign
    FROM change
),
reduction AS (
    SELECT
        one.store_id, one.item_id, one.valid_from, one.end_of_price, one.first_day, one.price,
        one.price_before, one.currency, one.decimals, one.known_since, one.campaign, one.source,
        one.generation_id,
        min(earlier.price) AS prior_price
    FROM campaign AS one
    LEFT JOIN price AS earlier
        ON earlier.store_id = one.store_id
        AND earlier.item_id = one.item_id
        AND earlier.currency = one.currency
        AND earlier.decimals = one.decimals
        AND earlier.valid_from < one.valid_from
        AND earlier.until_day >= one.first_day - 30
    WHERE one.reduced
    GROUP BY
        one.store_id, one.item_id, one.valid_from, one.end_of_price, one.first_day, one.price,
        one.price_before, one.currency, one.decimals, one.known_since, one.campaign, one.source,
        one.generation_id
)
SELECT
    store_id,
    item_id,
    first_day AS day,
    valid_from,
    end_of_price AS valid_to,
    price,
    price_before,
    prior_price,
    floor((prior_price - price) * 10000 / nullif(prior_price, 0)::numeric) / 100
        AS reduction_percent,
    least(first_day - known_since, 30) AS days_known,
    row_number() OVER steps AS step,
    first_value(prior_price) OVER steps AS before_first_reduction,
    floor(
        (first_value(prior_price) OVER steps - price) * 10000
        / nullif(first_value(prior_price) OVER steps, 0)::numeric
    ) / 100 AS progressive_percent,
    round(price / 10::numeric ^ decimals, decimals) AS amount,
    round(prior_price / 10::numeric ^ decimals, decimals) AS prior_amount,
    currency,
    decimals,
    source,
    generation_id
FROM reduction
WINDOW steps AS (PARTITION BY store_id, item_id, campaign ORDER BY valid_from);

COMMENT ON VIEW report.price_was IS
    'Each price reduction, with the prior price that an announcement of it shows';

COMMENT ON COLUMN report.price_was.store_id IS 'store';
COMMENT ON COLUMN report.price_was.item_id IS 'item';
COMMENT ON COLUMN report.price_was.day IS
    'day on which the reduction begins, in the time zone of the shop';
COMMENT ON COLUMN report.price_was.valid_from IS 'from when on the reduced price is in force';
COMMENT ON COLUMN report.price_was.valid_to IS
    'until when; null while it is. The prior price stays the same until then';
COMMENT ON COLUMN report.price_was.price IS 'reduced price; minor units of the currency';
COMMENT ON COLUMN report.price_was.price_before IS
    'minor units; last price before, which is not what an announcement may be computed from';
COMMENT ON COLUMN report.price_was.prior_price IS
    'minor units; lowest price in force on any part of the 30 days before day, or on day itself '
    'before valid_from (article 6a(2)); null where it was not on sale then';
COMMENT ON COLUMN report.price_was.reduction_percent IS
    'percent of prior_price, rounded down to two decimals; 0 or less: the price is not below the '
    'prior price, so that it is no reduction which may be announced as one';
COMMENT ON COLUMN report.price_was.days_known IS
    'days since the first price of the item in the store that is known, 30 at most; less than 30: '
    'article 6a(4) where the item is new on the market';
COMMENT ON COLUMN report.price_was.step IS
    '1: first reduction; 2 and more: reduced further with no rise and no time off sale between';
COMMENT ON COLUMN report.price_was.before_first_reduction IS
    'minor units; prior_price of the first of these steps, which a member state may allow to show '
    '(article 6a(5))';
COMMENT ON COLUMN report.price_was.progressive_percent IS
    'percent of before_first_reduction, rounded down to two decimals';
COMMENT ON COLUMN report.price_was.amount IS 'price in the currency itself, such as 1.99';
COMMENT ON COLUMN report.price_was.prior_amount IS 'prior_price in the currency itself';
COMMENT ON COLUMN report.price_was.currency IS
    'ISO 4217 code; a price in another currency is neither compared nor a reduction';
COMMENT ON COLUMN report.price_was.decimals IS 'of the currency: 2 where 199 is 1.99';
COMMENT ON COLUMN report.price_was.source IS
    'of the reduced price: observed, published, withdrawn or live';
COMMENT ON COLUMN report.price_was.generation_id IS
    'publication that reduced it; null where sales show it';
