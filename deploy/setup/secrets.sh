#!/usr/bin/env bash
# Draw the secrets of a deployment once, into deploy/secrets/ (never committed). Existing ones are kept.
# Usage: secrets.sh [DEVICE ...]   adds a broker account for each named device and prints its password once.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
draw() { head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
for name in database_owner database_ingest database_jobs database_api mqtt_ingest privacy_objection_key; do
    [ -s "secrets/$name" ] || draw >"secrets/$name"
done
printf 'postgresql://arterial:%s@database:5432/arterial' "$(cat secrets/database_owner)" >secrets/database_owner_url
printf 'mqtt://arterial-ingest:%s@broker:1883' "$(cat secrets/mqtt_ingest)" >secrets/mqtt_url
touch secrets/mosquitto_passwords
if ! command -v mosquitto_passwd >/dev/null; then
    echo "mosquitto_passwd is needed to write the broker's accounts: apt-get install mosquitto" >&2
    exit 2
fi
mosquitto_passwd -b secrets/mosquitto_passwords arterial-ingest "$(cat secrets/mqtt_ingest)"
for device in "$@"; do
    password=$(draw)
    mosquitto_passwd -b secrets/mosquitto_passwords "$device" "$password"
    echo "$device $password"
done
# Containers read the files under another user id than yours; the folder keeps the other users of this machine out.
chmod 0700 secrets && chmod 0644 secrets/*
