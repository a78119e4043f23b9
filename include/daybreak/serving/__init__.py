"""The prediction endpoint: one Flask app, under gunicorn and inside Airflow's API server."""
