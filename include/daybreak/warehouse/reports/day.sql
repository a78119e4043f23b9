-- Business days: those whose facts are all known, and those of the calendar.
CREATE VIEW report.day AS
SELECT
    coalesce(closed.business_date, calendar.business_date) AS business_date,
    closed.closed_at,
    calendar.open,
    calendar.holiday,
    coalesce(calendar.days, 1::smallint) AS days
FROM raw.day_closed AS closed
FULL JOIN raw.calendar AS calendar ON calendar.business_date = closed.business_date;

COMMENT ON VIEW report.day IS 'Business days, and from when on all their facts are known';

COMMENT ON COLUMN report.day.business_date IS 'day; the last one where the data set has weeks';
COMMENT ON COLUMN report.day.closed_at IS
    'from when on all facts of the day are known; null while they are not';
COMMENT ON COLUMN report.day.open IS
    'whether the business as a whole is open; null where no calendar says';
COMMENT ON COLUMN report.day.holiday IS 'name of the public holiday; null where it is none';
COMMENT ON COLUMN report.day.days IS 'days of the period that ends then: 7 of a week';
