-- Every price that was, is or will be in force, by what is known now: of entries of the ledger from
-- the same moment the one known last. What is not on sale has no row.
CREATE VIEW report.price_history AS
SELECT
    entry.store_id,
    entry.item_id,
    entry.valid_from,
    entry.valid_to,
    entry.price,
    round(entry.price / 10::numeric ^ entry.decimals, entry.decimals) AS amount,
    entry.currency,
    (entry.valid_from AT TIME ZONE entry.timezone)::date AS first_day,
    -- Instants are whole microseconds: the last day is that of the last instant.
    ((entry.valid_to - interval '1 microsecond') AT TIME ZONE entry.timezone)::date AS last_day,
    entry.source,
    entry.generation_id,
    entry.known_at,
    entry.decimals
FROM (
    SELECT
        *,
        lead(valid_from) OVER (PARTITION BY store_id, item_id ORDER BY valid_from) AS valid_to
    FROM (
        SELECT DISTINCT ON (store_id, item_id, valid_from) *
        FROM ops.price
        ORDER BY store_id, item_id, valid_from, known_at DESC, entry_id DESC
    ) AS newest
) AS entry
WHERE entry.price IS NOT NULL;

COMMENT ON VIEW report.price_history IS
    'Which price was in force where and when, by what is known now';

COMMENT ON COLUMN report.price_history.store_id IS 'store';
COMMENT ON COLUMN report.price_history.item_id IS 'item';
COMMENT ON COLUMN report.price_history.valid_from IS 'from when on the price is in force';
COMMENT ON COLUMN report.price_history.valid_to IS
    'until when: another price follows, or the item is not on sale; null while none does';
COMMENT ON COLUMN report.price_history.price IS 'minor units of the currency, such as cents';
COMMENT ON COLUMN report.price_history.amount IS 'the same in the currency itself, such as 1.99';
COMMENT ON COLUMN report.price_history.currency IS 'ISO 4217 code';
COMMENT ON COLUMN report.price_history.first_day IS
    'day of valid_from in the time zone of the shop';
COMMENT ON COLUMN report.price_history.last_day IS
    'last day on which the price was in force at all; null while it is';
COMMENT ON COLUMN report.price_history.source IS
    'observed: sales show it; published: the nightly prices put it in force; withdrawn: it came '
    'back as what had followed it was rolled back; live: streams moved it during the day, or it '
    'came back after that';
COMMENT ON COLUMN report.price_history.generation_id IS
    'publication whose price it is; null where sales show it';
COMMENT ON COLUMN report.price_history.known_at IS 'since when it is known';
COMMENT ON COLUMN report.price_history.decimals IS 'of the currency: 2 where 199 is 1.99';
