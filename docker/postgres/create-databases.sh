#!/bin/sh
# Runs once, on an empty volume: a database and an owner each for Airflow and the warehouse.
# The passwords reach psql through the environment, so no process list shows them.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<'SQL'
\getenv airflow_password AIRFLOW_DATABASE_PASSWORD
\getenv warehouse_password WAREHOUSE_PASSWORD
CREATE ROLE airflow LOGIN PASSWORD :'airflow_password';
CREATE DATABASE airflow OWNER airflow;
CREATE ROLE daybreak LOGIN PASSWORD :'warehouse_password';
CREATE DATABASE warehouse OWNER daybreak;
-- The analysts' role; the warehouse's migration grants it the schema `report` and nothing else.
CREATE ROLE daybreak_reader NOLOGIN;
REVOKE CONNECT ON DATABASE airflow, warehouse FROM PUBLIC;
GRANT CONNECT ON DATABASE warehouse TO daybreak_reader;
SQL
