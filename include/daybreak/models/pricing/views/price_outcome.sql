-- Published prices beside what came true over the days that they were judged by.
--
-- Costs are those that the night knew; what was sold, and the prices in force, are as known latest.
-- All of it is looked up by store, item and date, so that a question costs what it asks for.
CREATE VIEW report.price_outcome AS
SELECT
    proposal.business_date,
    proposal.store_id,
    proposal.item_id,
    judged.first_day,
    judged.last_day,
    judged.days,
    CASE
        WHEN judged.days = 0 THEN 'not_judged'
        WHEN judged.is_over THEN 'closed'
        ELSE 'open'
    END AS state,
    proposal.current_price,
    proposal.price,
    CASE WHEN judged.is_over THEN judged.days_in_force END AS days_in_force,
    proposal.current_units,
    proposal.units,
    proposal.units_p10,
    proposal.units_p90,
    CASE WHEN judged.is_over THEN judged.units END AS actual_units,
    CASE
        WHEN judged.is_over AND judged.days_in_force = judged.days
            THEN judged.units BETWEEN proposal.units_p10 AND proposal.units_p90
    END AS within,
    CASE WHEN spent.cost IS NOT NULL THEN proposal.current_margin END AS current_margin,
    CASE WHEN spent.cost IS NOT NULL THEN proposal.margin END AS margin,
    CASE
        WHEN judged.is_over AND judged.without_price = 0
            THEN judged.revenue - spent.cost * judged.units
    END AS actual_margin,
    spent.cost,
    proposal.currency,
    proposal.rule,
    proposal.gap,
    proposal.stopped,
    proposal.generation_id,
    proposal.version,
    proposal.gate,
    proposal.basis
FROM report.price_proposals AS proposal
JOIN ops.generation AS generation ON generation.generation_id = proposal.generation_id
CROSS JOIN LATERAL (
    SELECT book.timezone, 10::numeric ^ book.decimals AS scale
    FROM ops.price_rules AS book
    WHERE book.known_from <= generation.cutoff
    ORDER BY book.known_from DESC
    LIMIT 1
) AS rules
LEFT JOIN raw.calendar AS calendar ON calendar.business_date = proposal.business_date
CROSS JOIN LATERAL (
    -- A cost of the store goes before one of all stores.
    SELECT coalesce(
        (
            SELECT cost.cost
            FROM raw.cost
            WHERE cost.store_id = proposal.store_id
                AND cost.item_id = proposal.item_id
                AND cost.business_date <= proposal.business_date + 1
                AND cost.loaded_at <= generation.cutoff
            ORDER BY cost.business_date DESC, cost.loaded_at DESC, cost.load_id DESC
            LIMIT 1
        ),
        (
            SELECT cost.cost
            FROM raw.cost
            WHERE cost.store_id = ''
                AND cost.item_id = proposal.item_id
                AND cost.business_date <= proposal.business_date + 1
                AND cost.loaded_at <= generation.cutoff
            ORDER BY cost.business_date DESC, cost.loaded_at DESC, cost.load_id DESC
            LIMIT 1
        )
    ) AS cost
) AS spent
CROSS JOIN LATERAL (
    SELECT
        count(*) AS days,
        min(counted.day) AS first_day,
        max(counted.day) AS last_day,
        count(*) > 0 AND count(done.business_date) = count(*) AS is_over,
        coalesce(sum(sold.units), 0) AS units,
        coalesce(sum(sold.units * sold.price), 0) AS revenue,
        count(*) FILTER (WHERE sold.units <> 0 AND sold.price IS NULL) AS without_price,
        count(*) FILTER (
            WHERE coalesce(round(sold.price::numeric * rules.scale), held.price)
                = proposal.price * rules.scale
        ) AS days_in_force
    FROM (
        SELECT proposal.business_date + place * coalesce(calendar.days, 1) AS day
        FROM generate_series(1, length(proposal.judged_by)) AS place
        WHERE substr(proposal.judged_by, place, 1) = '1'
    ) AS counted
    LEFT JOIN raw.day_closed AS done ON done.business_date = counted.day
    LEFT JOIN LATERAL (
        SELECT sale.units, sale.price
        FROM raw.sales AS sale
        WHERE sale.store_id = proposal.store_id
            AND sale.item_id = proposal.item_id
            AND sale.business_date = counted.day
        ORDER BY sale.loaded_at DESC, sale.load_id DESC
        LIMIT 1
    ) AS sold ON TRUE
    LEFT JOIN LATERAL (
        -- As the day ended: a night puts its prices in force some hours after it began.
        SELECT entry.price
        FROM ops.price AS entry
        WHERE entry.store_id = proposal.store_id
            AND entry.item_id = proposal.item_id
            AND entry.valid_from < ops.start_of_day(counted.day + 1, rules.timezone)
        ORDER BY entry.valid_from DESC, entry.known_at DESC, entry.entry_id DESC
        LIMIT 1
    ) AS held ON TRUE
) AS judged;

COMMENT ON VIEW report.price_outcome IS
    'Published prices beside what came true over the days that they were judged by';

COMMENT ON COLUMN report.price_outcome.business_date IS 'of the proposal';
COMMENT ON COLUMN report.price_outcome.store_id IS 'store';
COMMENT ON COLUMN report.price_outcome.item_id IS 'item';
COMMENT ON COLUMN report.price_outcome.first_day IS 'first day that it is judged by';
COMMENT ON COLUMN report.price_outcome.last_day IS 'last day that it is judged by';
COMMENT ON COLUMN report.price_outcome.days IS
    'how many days it is judged by: those that the rules say, without planned promotions; weeks '
    'where the data set has weeks';
COMMENT ON COLUMN report.price_outcome.state IS
    'closed: all of these days are; open: not yet, and nothing that came true is shown; not_judged: '
    'there is no such day';
COMMENT ON COLUMN report.price_outcome.current_price IS 'that was in force';
COMMENT ON COLUMN report.price_outcome.price IS 'proposed; the current one where it stays';
COMMENT ON COLUMN report.price_outcome.days_in_force IS
    'of days, those on which price was in force: by the sale of the day, else by the ledger of '
    'prices as the day ended; null while open';
COMMENT ON COLUMN report.price_outcome.current_units IS 'expected at the current price, in days';
COMMENT ON COLUMN report.price_outcome.units IS 'expected at the proposed price, in days';
COMMENT ON COLUMN report.price_outcome.units_p10 IS 'at the proposed price, all days at their P10';
COMMENT ON COLUMN report.price_outcome.units_p90 IS 'at the proposed price, all days at their P90';
COMMENT ON COLUMN report.price_outcome.actual_units IS
    'sold in days, as known latest; null while open';
COMMENT ON COLUMN report.price_outcome.within IS
    'whether these are between units_p10 and units_p90; null while open, and where price was not in '
    'force on all days';
COMMENT ON COLUMN report.price_outcome.current_margin IS
    'expected at the current price; null without a cost';
COMMENT ON COLUMN report.price_outcome.margin IS
    'expected at the proposed price; null without a cost';
COMMENT ON COLUMN report.price_outcome.actual_margin IS
    'what was paid in days, less cost of what was sold; null while open, without a cost, and where '
    'a sale has no price';
COMMENT ON COLUMN report.price_outcome.cost IS
    'of a unit on the day after business_date, as the night knew it; null: it did not';
COMMENT ON COLUMN report.price_outcome.currency IS 'ISO 4217';
COMMENT ON COLUMN report.price_outcome.rule IS
    'that kept the price from going further, or let it stay; '''' for none';
COMMENT ON COLUMN report.price_outcome.gap IS
    'share of what could be gained that was not found; 0 where nothing better exists';
COMMENT ON COLUMN report.price_outcome.stopped IS
    'what ended the search before it was sure of the best; '''' for none';
COMMENT ON COLUMN report.price_outcome.generation_id IS 'generation of the row';
COMMENT ON COLUMN report.price_outcome.version IS 'version of the model';
COMMENT ON COLUMN report.price_outcome.gate IS
    'what the gate said of the version: passed, refused, baseline or not_judged';
COMMENT ON COLUMN report.price_outcome.basis IS
    'what became of the forecast that it was made from: published, superseded or rolled_back';
