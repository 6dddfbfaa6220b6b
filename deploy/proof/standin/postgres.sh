#!/bin/sh
# What the official image does, as much of it as compose.yaml uses.
set -eu
data=/var/lib/postgresql/data bin=/usr/lib/postgresql/15/bin
chown postgres: "$data"
if [ ! -s "$data/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/pw && chown postgres /tmp/pw
  runuser -u postgres -- $bin/initdb -D $data -E UTF8 --locale=C.UTF-8 -U "$POSTGRES_USER" --pwfile=/tmp/pw --auth-local=trust --auth-host=scram-sha-256 >/dev/null
  rm /tmp/pw
  echo 'host all all all scram-sha-256' >> $data/pg_hba.conf
  runuser -u postgres -- $bin/pg_ctl -D $data -o "-c listen_addresses=''" -w start >/dev/null
  for one in /docker-entrypoint-initdb.d/*.sh; do runuser -u postgres -- env PATH=$bin:$PATH sh "$one"; done
  runuser -u postgres -- $bin/pg_ctl -D $data -w stop >/dev/null
fi
exec runuser -u postgres -- $bin/postgres -D $data -c listen_addresses='*'
