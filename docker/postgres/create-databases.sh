#!/bin/sh
# Runs once, on an empty volume: a database and an owner each for Airflow and the warehouse, and
# the roles of jobs, prediction service and analysts, which the warehouse's migration grants their
# rights and nothing else (include/daybreak/warehouse/roles.py). Grafana is an analyst whose questions
# end after a minute: one that looks at years of a large shop must not keep the nightly run waiting.
# The passwords reach psql through the environment, so no process list shows them.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<'SQL'
\getenv airflow_password AIRFLOW_DATABASE_PASSWORD
\getenv owner_password WAREHOUSE_OWNER_PASSWORD
\getenv writer_password WAREHOUSE_WRITER_PASSWORD
\getenv service_password WAREHOUSE_SERVICE_PASSWORD
\getenv reader_password WAREHOUSE_READER_PASSWORD
\getenv grafana_password WAREHOUSE_GRAFANA_PASSWORD
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE airflow OWNER airflow;
CREATE ROLE daybreak LOGIN PASSWORD :'owner_password';
CREATE DATABASE warehouse OWNER daybreak;
CREATE ROLE daybreak_writer LOGIN PASSWORD :'writer_password';
CREATE ROLE daybreak_service LOGIN PASSWORD :'service_password';
CREATE ROLE daybreak_reader LOGIN PASSWORD :'reader_password';
CREATE ROLE daybreak_grafana LOGIN PASSWORD :'grafana_password' IN ROLE daybreak_reader CONNECTION LIMIT 10;
ALTER ROLE daybreak_grafana SET statement_timeout = '60s';
ALTER ROLE daybreak_grafana SET default_transaction_read_only = on;
REVOKE ALL ON DATABASE airflow, warehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO daybreak_writer, daybreak_service, daybreak_reader;
GRANT TEMPORARY ON DATABASE warehouse TO daybreak_writer;
SQL
