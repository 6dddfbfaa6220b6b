#!/bin/sh
# Three databases, each with an owner of its own, that nobody else may enter. The image of PostgreSQL runs this once,
# when its volume is empty.
set -eu
psql -v ON_ERROR_STOP=1 -v store="$STORE_PASSWORD" -v mlflow="$MLFLOW_PASSWORD" -v prefect="$PREFECT_PASSWORD" \
  --username "$POSTGRES_USER" --dbname "${POSTGRES_DB:-$POSTGRES_USER}" <<'SQL'
CREATE ROLE forecast LOGIN PASSWORD :'store';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow';
CREATE ROLE prefect LOGIN PASSWORD :'prefect';
CREATE DATABASE forecast OWNER forecast;
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE prefect OWNER prefect;
REVOKE CONNECT ON DATABASE forecast, mlflow, prefect FROM PUBLIC;
SQL
