#!/bin/sh
# Makes the secrets of docker-compose.yml that are not there yet; those that are there stay.
# Containers run as users of their own, so each file is readable and the directory is not.
set -eu
umask 077
directory=${1:-$(dirname "$0")/secrets}
mkdir -p "$directory"

keep() {
    [ -e "$directory/$1" ] || { printf %s "$2" >"$directory/.new" && mv "$directory/.new" "$directory/$1"; }
    chmod 444 "$directory/$1"
}

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

keep api_token "$(random)"
keep grafana_admin_password "$(random)"
keep postgres_password "$(random)"
keep redis_password "$(random)"
keep cluster_url "redis://:$(cat "$directory/redis_password")@redis"
keep storage_url "postgresql://controlplane:$(cat "$directory/postgres_password")@postgres/controlplane"
