-- What to review: of each published business date the hundred keys with the highest probability.
--
-- Everything beyond the scores of the day is looked up by key, for these hundred alone: what
-- happened on other days costs nothing.
CREATE VIEW report.fraud_queue AS
WITH vintage AS NOT MATERIALIZED (
    SELECT
        pointer.business_date,
        -- No entry about a day is known earlier than this: days begin up to 14 hours before those
        -- of UTC, and the clock of a sender may be 5 minutes ahead.
        pointer.business_date::timestamp AT TIME ZONE 'UTC' - interval '14 hours 5 minutes'
            AS known_from,
        pointer.published_at,
        generation.generation_id,
        generation.version,
        log.stream,
        log.decimals,
        coalesce(verdict.gate, 'not_judged') AS gate
    FROM ops.published AS pointer
    JOIN ops.generation AS generation USING (generation_id)
    LEFT JOIN ops.model_version AS version
        ON version.model = generation.model AND version.version = generation.version
    LEFT JOIN ops.stream AS log ON log.stream = version.manifest -> 'layout' ->> 'stream'
    LEFT JOIN report.version_gate AS verdict
        ON verdict.model = generation.model AND verdict.version = generation.version
    WHERE pointer.model = 'fraud'
)
SELECT
    vintage.business_date,
    card.rank,
    card.key,
    card.events,
    card.reviews,
    card.blocks,
    highest.event_id,
    happened.event_at,
    highest.probability,
    highest.decision,
    happened.amount,
    highest.probability::float8 * happened.amount AS expected_loss,
    coalesce(label.fraud, FALSE) AS known_fraud,
    vintage.version,
    vintage.generation_id,
    vintage.published_at,
    vintage.gate
FROM vintage
CROSS JOIN LATERAL (
    -- Equal probabilities go by the bytes of the key, as in the card precision of the gate.
    SELECT
        key,
        events,
        reviews,
        blocks,
        row_number() OVER (ORDER BY probability DESC, key COLLATE "C")::int AS rank
    FROM (
        SELECT
            score.key,
            count(*) AS events,
            count(*) FILTER (WHERE score.decision = 'review') AS reviews,
            count(*) FILTER (WHERE score.decision = 'block') AS blocks,
            max(score.probability) AS probability
        FROM score.fraud AS score
        WHERE score.business_date = vintage.business_date
            AND score.generation_id = vintage.generation_id
        GROUP BY score.key
    ) AS of_key
    ORDER BY probability DESC, key COLLATE "C"
    LIMIT 100
) AS card
CROSS JOIN LATERAL (
    SELECT score.event_id, score.probability, score.decision
    FROM score.fraud AS score
    WHERE score.business_date = vintage.business_date
        AND score.generation_id = vintage.generation_id
        AND score.key = card.key
    ORDER BY score.probability DESC, score.event_id COLLATE "C"
    LIMIT 1
) AS highest
-- Two lookups with LIMIT 1, which no plan turns into a join with the whole log.
LEFT JOIN LATERAL (
    SELECT id.loaded_at, id.sequence
    FROM raw.event_id AS id
    WHERE id.stream = vintage.stream AND id.event_id = highest.event_id
    LIMIT 1
) AS place ON TRUE
LEFT JOIN LATERAL (
    SELECT
        event.event_at,
        event.amount_1 / 10::float8 ^ vintage.decimals AS amount
    FROM raw.event AS event
    WHERE event.loaded_at = place.loaded_at
        AND event.stream = vintage.stream
        AND event.sequence = place.sequence
    LIMIT 1
) AS happened ON TRUE
LEFT JOIN LATERAL (
    -- The newest label of each event holds. One that waits for its event has no business date.
    SELECT bool_or(newest.fraud) AS fraud
    FROM (
        SELECT DISTINCT ON (said.event_id) said.fraud
        FROM (
            -- Without a bound on loaded_at: for each key all labels since the day would be read.
            SELECT known.event_id, known.fraud, known.loaded_at, known.sequence
            FROM raw.label AS known
            WHERE known.stream = vintage.stream
                AND known.key_1 = card.key
                AND known.business_date = vintage.business_date
            UNION ALL
            -- Of events without a key, which the index by key leaves out.
            SELECT known.event_id, known.fraud, known.loaded_at, known.sequence
            FROM raw.label AS known
            WHERE card.key = ''
                AND known.stream = vintage.stream
                AND known.key_1 IS NULL
                AND known.business_date = vintage.business_date
                AND known.loaded_at >= vintage.known_from
        ) AS said
        ORDER BY said.event_id, said.loaded_at DESC, said.sequence DESC
    ) AS newest
) AS label ON TRUE;

COMMENT ON VIEW report.fraud_queue IS
    'What to review: of each published business date the hundred keys (cards) with the highest '
    'probability of fraud';

COMMENT ON COLUMN report.fraud_queue.business_date IS 'day of the events';
COMMENT ON COLUMN report.fraud_queue.rank IS
    'place in the queue, from 1, the most probable, to 100; who has time for 20 keys a day asks '
    'for rank <= 20';
COMMENT ON COLUMN report.fraud_queue.key IS
    'what is reviewed, such as a card: the first key of the stream; '''' for all events that have '
    'none, together';
COMMENT ON COLUMN report.fraud_queue.events IS 'events of the key on that day, all decisions';
COMMENT ON COLUMN report.fraud_queue.reviews IS 'of these, events whose decision is review';
COMMENT ON COLUMN report.fraud_queue.blocks IS 'of these, events whose decision is block';
COMMENT ON COLUMN report.fraud_queue.event_id IS
    'event of the key with the highest probability; of equal ones the first by the bytes of its id';
COMMENT ON COLUMN report.fraud_queue.event_at IS
    'when that event happened; null where it is not in the log any more';
COMMENT ON COLUMN report.fraud_queue.probability IS
    'of fraud, 0 to 1, of that event: the keys are in the order of it';
COMMENT ON COLUMN report.fraud_queue.decision IS 'on that event: allow, review or block';
COMMENT ON COLUMN report.fraud_queue.amount IS
    'first amount of that event, in its own unit; null where it has none';
COMMENT ON COLUMN report.fraud_queue.expected_loss IS
    'probability times amount, in the unit of the amount; null where the event has no amount';
COMMENT ON COLUMN report.fraud_queue.known_fraud IS
    'whether any event of the key on that day is known as fraud by now';
COMMENT ON COLUMN report.fraud_queue.version IS 'model version that scored the day';
COMMENT ON COLUMN report.fraud_queue.generation_id IS 'publication that the row belongs to';
COMMENT ON COLUMN report.fraud_queue.published_at IS 'when it became visible';
COMMENT ON COLUMN report.fraud_queue.gate IS
    'what the gate said of that version last: passed, refused (a person put it in force all the '
    'same), baseline (a formula, until a version passes) or not_judged';
