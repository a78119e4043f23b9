#!/bin/sh
# Prints a value for every secret of .env.example. Later lines of .env win over earlier ones.
set -eu
for name in POSTGRES_PASSWORD AIRFLOW_DATABASE_PASSWORD WAREHOUSE_OWNER_PASSWORD \
    WAREHOUSE_WRITER_PASSWORD WAREHOUSE_SERVICE_PASSWORD WAREHOUSE_READER_PASSWORD \
    WAREHOUSE_GRAFANA_PASSWORD REDIS_PASSWORD S3_ACCESS_KEY S3_SECRET_KEY AIRFLOW_ADMIN_PASSWORD \
    GRAFANA_ADMIN_PASSWORD; do
    printf '%s=%s\n' "$name" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
done
printf 'AIRFLOW_JWT_SECRET=%s\n' "$(od -An -N64 -tx1 /dev/urandom | tr -d ' \n')"
printf 'PAGE_SECRET=%s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
printf 'AIRFLOW_SESSION_SECRET=%s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')"
printf 'AIRFLOW_FERNET_KEY=%s\n' "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
