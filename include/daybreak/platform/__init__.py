"""The embedded platform: PostgreSQL, Airflow and the prediction service on one machine."""
