-- How well the scores of each published business date found the frauds that are known by now, and
-- what can be said before they are known: the same measures of the probabilities alone.
--
-- auc, average_precision and card_precision are those of the gate (models/fraud/learn/gate.py),
-- ties included. The estimates count each event as a fraud with its probability for a weight, and
-- as no fraud with the rest of it: right as far as the probabilities are.
CREATE VIEW report.fraud_quality AS
WITH vintage AS NOT MATERIALIZED (
    SELECT
        pointer.business_date,
        -- No entry about a day is known earlier than this: days begin up to 14 hours before those
        -- of UTC, and the clock of a sender may be 5 minutes ahead.
        pointer.business_date::timestamp AT TIME ZONE 'UTC' - interval '14 hours 5 minutes'
            AS known_from,
        generation.generation_id,
        generation.version,
        log.stream,
        cardinality(log.amounts) > 0 AS has_amounts,
        log.decimals,
        -- A version keeps the delay that it was trained with; 7 is what it has without.
        coalesce((version.manifest -> 'options' -> 'delay_days')::int, 7) AS delay_days,
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
    vintage.delay_days,
    -- As in training, which learns from the days up to so many before the newest closed one.
    coalesce(
        vintage.business_date + vintage.delay_days
        <= (SELECT max(closed.business_date) FROM raw.day_closed AS closed),
        FALSE
    ) AS mature,
    judged.events,
    judged.cards,
    judged.frauds,
    judged.expected_frauds,
    judged.auc,
    judged.estimated_auc,
    judged.average_precision,
    judged.estimated_average_precision,
    judged.card_precision,
    judged.estimated_card_precision,
    CASE WHEN vintage.has_amounts THEN judged.caught / 10::float8 ^ vintage.decimals END
        AS caught_value,
    CASE WHEN vintage.has_amounts THEN judged.missed / 10::float8 ^ vintage.decimals END
        AS missed_value,
    vintage.version,
    vintage.generation_id,
    vintage.gate
FROM vintage
CROSS JOIN LATERAL (
    -- Rows are brought together by grouping, not by joins: how many there are is not known when
    -- this is planned, and a nested loop over scores and labels would take minutes.
    WITH known AS MATERIALIZED (
        -- The newest label of each event holds. One that waits for its event has no business date.
        SELECT newest.event_id, coalesce(newest.key_1, '') AS key
        FROM (
            SELECT DISTINCT ON (label.event_id) label.event_id, label.key_1, label.fraud
            FROM raw.label AS label
            WHERE label.stream = vintage.stream
                AND label.business_date = vintage.business_date
                AND label.loaded_at >= vintage.known_from
            ORDER BY label.event_id, label.loaded_at DESC, label.sequence DESC
        ) AS newest
        WHERE newest.fraud
    ),
    scored AS MATERIALIZED (
        SELECT
            event_id,
            max(key) AS key,
            max(probability)::float8 AS probability,
            max(decision) AS decision,
            bool_or(is_fraud) AS is_fraud
        FROM (
            SELECT score.event_id, score.key, score.probability, score.decision, FALSE AS is_fraud
            FROM score.fraud AS score
            WHERE score.business_date = vintage.business_date
                AND score.generation_id = vintage.generation_id
            UNION ALL
            SELECT known.event_id, NULL, NULL, NULL, TRUE FROM known
        ) AS either
        GROUP BY event_id
        -- A fraud that became known after the run has no score.
        HAVING count(probability) > 0
    ),
    -- Events of equal probability are one step of both curves.
    step AS (
        SELECT
            probability,
            count(*)::float8 AS events,
            count(*) FILTER (WHERE is_fraud)::float8 AS frauds,
            count(*) FILTER (WHERE NOT is_fraud)::float8 AS others,
            count(*) * probability AS expected,
            count(*) * (1 - probability) AS expected_others
        FROM scored
        GROUP BY probability
    ),
    curve AS (
        SELECT
            step.*,
            sum(events) OVER down AS events_to,
            sum(frauds) OVER down AS frauds_to,
            sum(expected) OVER down AS expected_to,
            sum(others) OVER () - sum(others) OVER down AS others_below,
            sum(expected_others) OVER () - sum(expected_others) OVER down AS expected_others_below
        FROM step
        WINDOW down AS (ORDER BY probability DESC)
    ),
    of_curve AS (
        SELECT
            coalesce(sum(events), 0)::bigint AS events,
            coalesce(sum(frauds), 0)::bigint AS frauds,
            coalesce(sum(expected), 0) AS expected_frauds,
            -- The chance that a fraud has a higher probability than another event, half where equal.
            sum(frauds * (others_below + others / 2)) / nullif(sum(frauds) * sum(others), 0) AS auc,
            sum(expected * (expected_others_below + expected_others / 2))
                / nullif(sum(expected) * sum(expected_others), 0) AS estimated_auc,
            -- Precision at each probability, weighted by the frauds that it adds.
            sum(frauds * frauds_to / events_to) / nullif(sum(frauds), 0) AS average_precision,
            sum(expected * expected_to / events_to) / nullif(sum(expected), 0)
                AS estimated_average_precision
        FROM curve
    ),
    card AS (
        SELECT
            key,
            max(probability) AS highest,
            bool_or(is_fraud) AS had_fraud,
            -- That one or more of its events are frauds, were they independent.
            CASE
                WHEN max(probability) >= 1 THEN 1
                ELSE 1 - exp(sum(ln(1 - probability)) FILTER (WHERE probability < 1))
            END AS chance
        FROM (
            SELECT scored.key, scored.probability, scored.is_fraud FROM scored
            UNION ALL
            -- Also of events that became known after the run: the card had a fraud all the same.
            SELECT known.key, NULL, TRUE FROM known
        ) AS either
        GROUP BY key
        HAVING count(probability) > 0
    ),
    of_cards AS (
        SELECT
            count(*) AS cards,
            avg(had_fraud::int) FILTER (WHERE rank <= most)::float8 AS card_precision,
            avg(chance) FILTER (WHERE rank <= most) AS estimated_card_precision
        FROM (
            SELECT
                had_fraud,
                chance,
                row_number() OVER (ORDER BY highest DESC, key COLLATE "C") AS rank,
                greatest(1, least(100, count(*) OVER () / 10)) AS most
            FROM card
        ) AS ranked
    ),
    of_frauds AS (
        -- Amounts are looked up for the known frauds alone, each by its place in the log.
        SELECT
            coalesce(sum(event.amount_1) FILTER (WHERE scored.decision IN ('review', 'block')), 0)
                AS caught,
            coalesce(sum(event.amount_1) FILTER (WHERE scored.decision = 'allow'), 0) AS missed
        FROM scored
        CROSS JOIN LATERAL (
            SELECT id.loaded_at, id.sequence
            FROM raw.event_id AS id
            WHERE id.stream = vintage.stream AND id.event_id = scored.event_id
            LIMIT 1
        ) AS place
        CROSS JOIN LATERAL (
            SELECT logged.amount_1
            FROM raw.event AS logged
            WHERE logged.loaded_at = place.loaded_at
                AND logged.stream = vintage.stream
                AND logged.sequence = place.sequence
            LIMIT 1
        ) AS event
        WHERE scored.is_fraud
    )
    SELECT * FROM of_curve CROSS JOIN of_cards CROSS JOIN of_frauds
) AS judged;

COMMENT ON VIEW report.fraud_quality IS
    'How well each published business date found the frauds known by now, beside what its '
    'probabilities say before labels come';

COMMENT ON COLUMN report.fraud_quality.business_date IS 'day of the events';
COMMENT ON COLUMN report.fraud_quality.delay_days IS
    'days after which most frauds of a day are known, as the version learned it from the labels';
COMMENT ON COLUMN report.fraud_quality.mature IS
    'whether so many days have passed up to the newest closed one; before that many frauds are not '
    'known yet, and what counts them is too low';
COMMENT ON COLUMN report.fraud_quality.events IS 'events that were scored';
COMMENT ON COLUMN report.fraud_quality.cards IS
    'different first keys of these events; all events without one count as one';
COMMENT ON COLUMN report.fraud_quality.frauds IS 'of these events, those known as fraud by now';
COMMENT ON COLUMN report.fraud_quality.expected_frauds IS
    'frauds that the probabilities add up to; on mature days near frauds, or they are not right';
COMMENT ON COLUMN report.fraud_quality.auc IS
    'chance that a known fraud has a higher probability than another event, half where equal; null '
    'where no fraud is known, or nothing else';
COMMENT ON COLUMN report.fraud_quality.estimated_auc IS
    'the same before labels come, if the probabilities are right';
COMMENT ON COLUMN report.fraud_quality.average_precision IS
    'fraction: precision at each probability that occurs, weighted by the known frauds that it '
    'adds; null where no fraud is known';
COMMENT ON COLUMN report.fraud_quality.estimated_average_precision IS
    'the same before labels come, if the probabilities are right';
COMMENT ON COLUMN report.fraud_quality.card_precision IS
    'fraction: of the 100 cards with the highest probability, or of a tenth of them (one at least) '
    'where these are fewer than 1,000, those with a known fraud on that day';
COMMENT ON COLUMN report.fraud_quality.estimated_card_precision IS
    'the same before labels come, if the probabilities are right and the events of a card are '
    'independent';
COMMENT ON COLUMN report.fraud_quality.caught_value IS
    'sum of the first amount of known frauds whose decision was review or block, in its unit; null '
    'where the stream has no amount';
COMMENT ON COLUMN report.fraud_quality.missed_value IS
    'the same of known frauds whose decision was allow';
COMMENT ON COLUMN report.fraud_quality.version IS 'model version that scored the day';
COMMENT ON COLUMN report.fraud_quality.generation_id IS 'publication that is judged';
COMMENT ON COLUMN report.fraud_quality.gate IS
    'what the gate said of that version last: passed, refused (a person put it in force all the '
    'same), baseline (a formula, until a version passes) or not_judged';
