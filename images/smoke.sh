#!/usr/bin/env bash
# smoke.sh: starts the built images once and looks whether they do what the cluster needs: non-root users, pinned
# versions, one etcd and one Patroni node up to a leader that answers over TLS, pg_basebackup and pg_rewind.
# Uses a Docker network and containers of its own and removes them. Needs openssl. Exit status 0: all is well.
# shellcheck disable=SC2016 # what stands in single quotes is expanded in the containers
set -euo pipefail
# shellcheck source=images/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RUN=pgha-smoke-$$
LEADER_SECONDS=${PGHA_SMOKE_LEADER_SECONDS:-90}
CHECKS=0
WORK=

cleanup() {
  docker rm -f -v "$RUN-patroni" "$RUN-etcd" >/dev/null 2>&1 || true
  docker network rm "$RUN" >/dev/null 2>&1 || true
  [[ -z $WORK ]] || rm -rf "$WORK"
}

passed() {
  CHECKS=$((CHECKS + 1))
  say "ok: $*"
}

# expect WHAT PATTERN TEXT: the text must match the extended regular expression.
expect() {
  [[ $3 =~ $2 ]] || fail "$1: expected /$2/, got '$(head -c 300 <<<"$3")'."
  passed "$1"
}

run_in() {
  local image=$1
  shift
  docker run --rm --network none --entrypoint "$1" "${IMAGE_TAGS[$image]}" "${@:2}" 2>&1
}

check_user() { expect "$1 runs as uid $2" "^$2:$2$" "$(run_in "$1" sh -c 'echo "$(id -u):$(id -g)"')"; }

check_users() {
  local ids
  check_user etcd 998
  check_user patroni 999
  check_user router 997
  ids=$(run_in base sh -c 'for u in postgres etcd haproxy pgbouncer; do id -u $u; id -g $u; done' | xargs)
  expect "users of the base image" '^999 999 998 998 997 997 996 996$' "$ids"
}

# Debian's own PostgreSQL gets new minor releases by itself; the other sources are pinned to one.
postgresql_release() {
  local release=${PG_RELEASES[$PG_MAJOR]}
  if [[ $(image_label "${IMAGE_TAGS[patroni]}" "$SOURCE_LABEL") == debian ]]; then release="$PG_MAJOR.[0-9]+"; fi
  printf '%s\n' "${release/./\\.}"
}

check_versions() {
  local tool release
  release=$(postgresql_release)
  expect "etcd $ETCD_VERSION" "etcd Version: ${ETCD_VERSION//./\\.}" "$(run_in etcd etcd --version)"
  expect "etcdctl $ETCD_VERSION" "etcdctl version: ${ETCD_VERSION//./\\.}" "$(run_in etcd etcdctl version)"
  expect "haproxy $HAPROXY_VERSION" "HAProxy version ${HAPROXY_VERSION//./\\.}\." "$(run_in router haproxy -v)"
  expect "pgbouncer $PGBOUNCER_VERSION" "PgBouncer ${PGBOUNCER_VERSION//./\\.}\." "$(run_in router pgbouncer --version)"
  expect "patroni $PATRONI_VERSION" "patroni ${PATRONI_VERSION//./\\.}$" "$(run_in patroni patroni --version)"
  for tool in postgres initdb psql pg_dump pg_restore pg_basebackup pg_rewind pg_controldata; do
    expect "$tool" "\(PostgreSQL\) $release( |$)" "$(run_in patroni "$tool" --version)"
  done
  run_in patroni patronictl --help >/dev/null || fail "patronictl does not start in ${IMAGE_TAGS[patroni]}."
}

certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$RUN-patroni" \
    -addext "subjectAltName=DNS:$RUN-patroni,DNS:localhost" -keyout "$WORK/patroni/server.key" \
    -out "$WORK/patroni/server.crt" 2>/dev/null || fail "openssl could not make a certificate: install openssl, then run this again."
  cp "$WORK/patroni/server.crt" "$WORK/patroni/ca.crt"
}

write_etcd_configuration() {
  cat >"$WORK/etcd/etcd.yml" <<YAML
name: smoke
data-dir: /var/lib/etcd/data
listen-client-urls: http://0.0.0.0:2379
advertise-client-urls: http://$RUN-etcd:2379
listen-peer-urls: http://127.0.0.1:2380
initial-advertise-peer-urls: http://127.0.0.1:2380
initial-cluster: smoke=http://127.0.0.1:2380
YAML
}

write_patroni_configuration() {
  cat >"$WORK/patroni/patroni.yml" <<YAML
scope: smoke
name: smoke
etcd3: {hosts: ["$RUN-etcd:2379"]}
restapi: {listen: "0.0.0.0:8008", connect_address: "$RUN-patroni:8008"}
bootstrap:
  dcs: {ttl: 20, loop_wait: 2, retry_timeout: 3}
  initdb: [{encoding: UTF8}, {locale: C.UTF-8}, data-checksums]
postgresql:
  listen: "0.0.0.0:5432"
  connect_address: "$RUN-patroni:5432"
  data_dir: /var/lib/postgresql/data
  bin_dir: /usr/lib/postgresql/$PG_MAJOR/bin
  use_pg_rewind: true
  authentication:
    superuser: {username: postgres, password: $PASSWORD}
    replication: {username: replicator, password: $PASSWORD}
  parameters:
    unix_socket_directories: /var/run/postgresql
    shared_preload_libraries: pg_stat_statements
    password_encryption: scram-sha-256
    ssl: "on"
    ssl_cert_file: /etc/pgha/server.crt
    ssl_key_file: /etc/pgha/server.key
  pg_hba:
    - local all all peer
    - hostssl all all all scram-sha-256
    - hostssl replication replicator all scram-sha-256
YAML
}

prepare_files() {
  WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/$RUN.XXXXXX")
  mkdir "$WORK/etcd" "$WORK/patroni"
  PASSWORD=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  certificate
  write_etcd_configuration
  write_patroni_configuration
  chmod 0755 "$WORK" "$WORK"/*/
  chmod 0600 "$WORK"/patroni/*
  chown -R 998:998 "$WORK/etcd"
  chown -R 999:999 "$WORK/patroni"
}

start() {
  docker run --detach --network "$RUN" --name "$RUN-$1" --volume "$WORK/$1:/etc/pgha:ro" "${IMAGE_TAGS[$1]}" >/dev/null
}

in_patroni() { docker exec "$RUN-patroni" "$@" 2>&1; }
query() { in_patroni psql -XAtq -v ON_ERROR_STOP=1 -d postgres -c "$1"; }
leads() { [[ $(query 'select not pg_is_in_recovery()' 2>/dev/null) == t && $(is_leader_in_etcd) == smoke ]]; }
is_leader_in_etcd() { docker exec "$RUN-etcd" etcdctl get --print-value-only /service/smoke/leader 2>/dev/null; }

start_cluster() {
  docker network create "$RUN" >/dev/null
  start etcd
  start patroni
  wait_until "$LEADER_SECONDS" leads ||
    fail "Patroni had no running leader after $LEADER_SECONDS s; its last line: $(docker logs "$RUN-patroni" 2>&1 | tail -n 1)"
  passed "a leader runs"
}

# Over the network with a checked certificate, as applications connect.
remote_query() {
  local password=$1
  docker exec --env PGPASSWORD="$password" "$RUN-patroni" psql -XAtq -c "$2" \
    "host=$RUN-patroni user=postgres dbname=postgres sslmode=verify-full sslrootcert=/etc/pgha/ca.crt connect_timeout=5" 2>&1
}

check_server() {
  expect "select version()" "^PostgreSQL $PG_MAJOR\." "$(query 'select version()')"
  expect "data checksums" '^on$' "$(query 'show data_checksums')"
  expect "locale and ICU" '^UTF8 t$' "$(query \
    "select current_setting('server_encoding') || ' ' || (('ä' collate \"de-x-icu\") < ('z' collate \"de-x-icu\"))::text::char")"
  query 'create extension pg_stat_statements' >/dev/null
  expect "pg_stat_statements" '^[1-9]' "$(query 'select count(*) from pg_stat_statements')"
  expect "SCRAM password" '^SCRAM-SHA-256\$4096' "$(query "select rolpassword from pg_authid where rolname = 'postgres'")"
  expect "TLS with a checked certificate" '^TLSv1\.[23]$' \
    "$(remote_query "$PASSWORD" 'select version from pg_stat_ssl where pid = pg_backend_pid()')"
  expect "a wrong password is refused" 'password authentication failed' "$(remote_query wrong 'select 1' || true)"
  expect "PID 1 is patroni" '/opt/patroni/bin/patroni' "$(in_patroni cat /proc/1/cmdline | tr '\0' ' ')"
}

replication_tool() {
  docker exec --env PGPASSWORD="$PASSWORD" --env PGSSLMODE=require "$RUN-patroni" "$@" 2>&1
}

# The one program that PostgreSQL 18 lacks where it comes from packages (README.md).
check_verifybackup() {
  [[ $PG_MAJOR/$(image_label "${IMAGE_TAGS[patroni]}" "$SOURCE_LABEL") != 18/packages ]] || return 0
  in_patroni pg_verifybackup -q /tmp/copy || fail "pg_verifybackup does not accept what pg_basebackup made."
  passed "pg_verifybackup"
}

check_tools() {
  replication_tool pg_basebackup -h "$RUN-patroni" -U replicator -D /tmp/copy -X stream -c fast >/dev/null ||
    fail "pg_basebackup failed in ${IMAGE_TAGS[patroni]}."
  passed "pg_basebackup"
  check_verifybackup
  # The copy was not shut down, so pg_rewind first runs the server binary beside it for recovery.
  expect "pg_rewind" 'no rewind required' "$(replication_tool pg_rewind --target-pgdata /tmp/copy \
    --source-server "host=$RUN-patroni user=postgres dbname=postgres")"
  in_patroni pg_dump --schema-only postgres >/dev/null || fail "pg_dump failed in ${IMAGE_TAGS[patroni]}."
  in_patroni initdb -D /tmp/icu --locale-provider=icu --icu-locale=en --encoding=UTF8 --data-checksums >/dev/null ||
    fail "initdb cannot use ICU in ${IMAGE_TAGS[patroni]}."
  passed "pg_dump, initdb with ICU"
}

check_stop() {
  docker stop --time 30 "$RUN-patroni" >/dev/null
  expect "Patroni stops cleanly on SIGTERM" '^0$' "$(docker inspect --format '{{.State.ExitCode}}' "$RUN-patroni")"
}

main() {
  local name
  engine_answers || fail "no Docker Engine answers: run lab/engine/ensure-engine.sh, then run this again."
  for name in "${IMAGES[@]}"; do
    image_exists "${IMAGE_TAGS[$name]}" || fail "the image ${IMAGE_TAGS[$name]} is missing: run images/build.sh, then run this again."
  done
  trap cleanup EXIT
  check_users
  check_versions
  prepare_files
  start_cluster
  check_server
  check_tools
  check_stop
  say "$CHECKS checks passed"
}

main "$@"
