"""statsd metrics and SLA records."""
