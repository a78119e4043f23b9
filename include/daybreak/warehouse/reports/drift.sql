-- How far each published night is from earlier ones and from what its version was trained on.
CREATE VIEW report.drift AS
SELECT
    measured.model,
    measured.business_date,
    measured.kind,
    measured.name,
    measured.state,
    measured.distance,
    measured.raise_at,
    measured.clear_at,
    measured.noticed,
    measured.psi_earlier,
    measured.ks_earlier,
    measured.psi_holiday,
    measured.psi_training,
    measured.ks_training,
    measured.value,
    measured.value_earlier,
    measured.value_training,
    measured.rows,
    measured.missing,
    measured.missing_earlier,
    measured.outside,
    measured.earlier_nights,
    measured.usual_nights,
    newest.raised_on,
    generation.version,
    measured.generation_id,
    measured.measured_at
FROM ops.published AS pointer
JOIN ops.drift AS measured USING (generation_id)
JOIN ops.generation AS generation USING (generation_id)
LEFT JOIN LATERAL (
    SELECT CASE WHEN alarm.event = 'raised' THEN alarm.business_date END AS raised_on
    FROM ops.drift_alarm AS alarm
    WHERE alarm.model = measured.model AND alarm.kind = measured.kind
        AND alarm.name = measured.name AND alarm.business_date <= measured.business_date
    ORDER BY alarm.business_date DESC, alarm.alarm_id DESC
    LIMIT 1
) AS newest ON TRUE;

COMMENT ON VIEW report.drift IS
    'How far each published night is from earlier ones and from what its version was trained on';

COMMENT ON COLUMN report.drift.model IS 'model';
COMMENT ON COLUMN report.drift.business_date IS 'last day whose facts the scores know';
COMMENT ON COLUMN report.drift.kind IS
    'what is compared: feature, score, key (which entities there are), size (how many), quality '
    '(how good scores were, by what became known) or asked (features as the endpoint was asked for '
    'them since the night before)';
COMMENT ON COLUMN report.drift.name IS
    'feature, column of the scores, column of the key, entities, or measure of quality';
COMMENT ON COLUMN report.drift.state IS
    'quiet; over: above its limit, and not for long enough; alarm: raised and not cleared';
COMMENT ON COLUMN report.drift.distance IS
    'what the limits are for: psi_earlier, or of a value how far it is from value_earlier (of a '
    'size, of their logarithms; of asked, by how much it is larger); psi_training while there are '
    'too few earlier nights; psi_holiday where psi_earlier is above raise_at and that is less';
COMMENT ON COLUMN report.drift.raise_at IS
    'an alarm is raised above it on two nights one after the other, of a value by the mean of two '
    'nights; null while nothing is usual';
COMMENT ON COLUMN report.drift.clear_at IS 'an alarm is cleared below it';
COMMENT ON COLUMN report.drift.noticed IS
    'the smallest change that would be noticed within two nights: of features and scores the part '
    'of themselves by which all values grow (0.3 is 30 %), of a size a part of it, of a measure of '
    'quality its difference; null while nothing is usual, where no growth shows, and of asked';
COMMENT ON COLUMN report.drift.psi_earlier IS
    'population stability index beside up to four nights of the same weekday, of asked beside the '
    'night that was asked about; 0 is alike';
COMMENT ON COLUMN report.drift.ks_earlier IS
    'Kolmogorov-Smirnov statistic beside the same nights, 0 to 1; of asked by the bins of the '
    'training';
COMMENT ON COLUMN report.drift.psi_holiday IS
    'population stability index beside the nearest night of a public holiday in the last four '
    'weeks; null where there was none';
COMMENT ON COLUMN report.drift.psi_training IS
    'population stability index beside what the version was trained on; null where it does not say';
COMMENT ON COLUMN report.drift.ks_training IS
    'Kolmogorov-Smirnov statistic beside the same, by the bins of the training';
COMMENT ON COLUMN report.drift.value IS
    'of a size, or a measure of quality; of asked psi_earlier, where enough was asked';
COMMENT ON COLUMN report.drift.value_earlier IS 'median of the value on up to 28 nights before';
COMMENT ON COLUMN report.drift.value_training IS
    'what the backtest of the version found; null where it does not say';
COMMENT ON COLUMN report.drift.rows IS 'values that were counted, or rows that a measure is of';
COMMENT ON COLUMN report.drift.missing IS 'share of the values that are missing';
COMMENT ON COLUMN report.drift.missing_earlier IS
    'what is usual on nights of the same weekday: the second largest share of up to four; of asked '
    'that of the night that was asked about';
COMMENT ON COLUMN report.drift.outside IS
    'share of the values that are below or above all of the training, or missing where none was; '
    'of a version that does not say, of the earlier nights';
COMMENT ON COLUMN report.drift.earlier_nights IS 'nights that it was compared with';
COMMENT ON COLUMN report.drift.usual_nights IS 'nights that raise_at is learned from, 56 at most';
COMMENT ON COLUMN report.drift.raised_on IS
    'business date on which the alarm was raised; null where none is';
COMMENT ON COLUMN report.drift.version IS 'model version that made the scores';
COMMENT ON COLUMN report.drift.generation_id IS 'publication that was measured';
COMMENT ON COLUMN report.drift.measured_at IS 'when';
