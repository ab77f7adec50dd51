"""The shell text of the commands on each server (POSIX sh; shellcheck finds nothing to say).

The library finds the cluster (``PGHA_CLUSTER`` chooses among several) and, by the labels
of its compose file, the container. No script and no command line ever holds a secret.
"""

from __future__ import annotations

LIBRARY = """\
# shellcheck shell=sh
# Find the cluster and its containers on this server. Written by Salt; changes are overwritten.

pgha_fail() {
    printf '%s: %s\\n' "${0##*/}" "$1" >&2
    exit 1
}

# Set PGHA_CLUSTER and read its cluster.env.
pgha_use_cluster() {
    if [ -z "${PGHA_CLUSTER:-}" ]; then
        set -- /etc/pgha/*/cluster.env
        [ -e "$1" ] || pgha_fail "no cluster is configured in /etc/pgha; run the deploy"
        [ "$#" -eq 1 ] || pgha_fail "several clusters are here; set PGHA_CLUSTER to one of: \
$(cd /etc/pgha && echo */cluster.env | sed 's,/cluster.env,,g')"
        PGHA_CLUSTER=${1%/cluster.env}
        PGHA_CLUSTER=${PGHA_CLUSTER##*/}
    fi
    [ -r "/etc/pgha/$PGHA_CLUSTER/cluster.env" ] ||
        pgha_fail "no cluster $PGHA_CLUSTER is configured in /etc/pgha"
    # shellcheck source=/dev/null
    . "/etc/pgha/$PGHA_CLUSTER/cluster.env"
}

# Print the name of the running container of a service; with --all also of a stopped one.
pgha_container() {
    docker ps "${2:---no-trunc}" --filter "label=pgha.cluster=$PGHA_CLUSTER" \\
        --filter "label=com.docker.compose.service=$1" --format '{{.Names}}' | head -n 1
}

# Become a command in a running container: SERVICE [options of docker exec] -- COMMAND.
pgha_exec() {
    name=$(pgha_container "$1")
    [ -n "$name" ] ||
        pgha_fail "container '$1' of cluster $PGHA_CLUSTER does not run here; see: docker ps -a"
    shift
    options=--interactive
    [ -t 0 ] && [ -t 1 ] && options="--interactive --tty"
    # Everything before -- is for docker exec, the container's name belongs where -- stands.
    count=$#
    seen=
    while [ "$count" -gt 0 ]; do
        if [ -z "$seen" ] && [ "$1" = -- ]; then
            set -- "$@" "$name"
            seen=1
        else
            set -- "$@" "$1"
        fi
        shift
        count=$((count - 1))
    done
    # shellcheck disable=SC2086
    exec docker exec $options "$@"
}
"""

HEAD = """\
#!/bin/sh
# {purpose} Written by Salt; changes are overwritten.
set -eu
. {library}
"""

PATRONICTL = """\
pgha_use_cluster
pgha_exec patroni -- patronictl -c {directory}/patroni.yml "$@"
"""

ETCDCTL = """\
pgha_use_cluster
# etcdctl refuses a setting that it finds both in its environment and on its command line.
given=" $* "
ETCDCTL_ENDPOINTS=$PGHA_ETCD_ENDPOINTS
ETCDCTL_CACERT={directory}/ca.crt
ETCDCTL_CERT={directory}/client.crt
ETCDCTL_KEY={directory}/client.key
export ETCDCTL_ENDPOINTS ETCDCTL_CACERT ETCDCTL_CERT ETCDCTL_KEY
# In this server's etcd container, or in one of its own where no etcd runs.
if [ "$PGHA_ETCD_MEMBER" = yes ]; then
    set -- -- etcdctl "$@"
else
    set -- --entrypoint etcdctl "$PGHA_ETCD_IMAGE" "$@"
fi
case $given in *" --endpoints"*) ;; *) set -- --env ETCDCTL_ENDPOINTS "$@" ;; esac
case $given in *" --cacert"*) ;; *) set -- --env ETCDCTL_CACERT "$@" ;; esac
case $given in *" --cert"[=\\ ]*) ;; *) set -- --env ETCDCTL_CERT "$@" ;; esac
case $given in *" --key"[=\\ ]*) ;; *) set -- --env ETCDCTL_KEY "$@" ;; esac
[ "$PGHA_ETCD_MEMBER" != yes ] || pgha_exec etcd --user 0:0 "$@"
[ -t 0 ] && [ -t 1 ] && set -- --tty "$@"
exec docker run --rm --interactive --network host --pull never --read-only --cap-drop ALL \\
    --user 0:0 --volume "/etc/pgha/$PGHA_CLUSTER/etcd:{directory}:ro" "$@"
"""

PSQL = """\
# Three ways: a named server is reached by a real client if this server has one, else by the client
# of the Patroni image; without a name the superuser's session on this server's own member.
real=/usr/bin/psql
names_a_server() {{
    [ -z "${{PGHOST:-}}${{PGHOSTADDR:-}}${{PGSERVICE:-}}" ] || return 0
    previous=
    for argument in "$@"; do
        case $previous in
            -c | --command | -v | --set | --variable) previous= && continue ;;
        esac
        previous=$argument
        case $argument in
            -c* | --command=*) ;;
            -h* | --host | --host=* | postgres://* | postgresql://*) return 0 ;;
            host=* | hostaddr=* | service=*) return 0 ;;
            *" host="* | *" hostaddr="* | *" service="*) return 0 ;;
        esac
    done
    return 1
}}

client_container() {{
    authority=/etc/pgha/$PGHA_CLUSTER/ca.crt
    set -- --entrypoint psql "$PGHA_CLIENT_IMAGE" "$@"
    # By name only: Docker takes the values from this environment, none is on a command line.
    for variable in PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGSSLMODE PGAPPNAME \\
        PGOPTIONS PGCONNECT_TIMEOUT PGTARGETSESSIONATTRS; do
        set -- --env "$variable" "$@"
    done
    [ -t 0 ] && [ -t 1 ] && set -- --tty "$@"
    exec docker run --rm --interactive --network host --pull never --read-only --cap-drop ALL \\
        --user "$(id -u):$(id -g)" --volume "$authority:$authority:ro" \\
        --env "PGSSLROOTCERT=${{PGSSLROOTCERT:-$authority}}" "$@"
}}

if names_a_server "$@"; then
    [ ! -x "$real" ] || exec "$real" "$@"
    pgha_use_cluster
    client_container "$@"
fi
if [ -x "$real" ] && ! docker ps --quiet >/dev/null 2>&1; then
    exec "$real" "$@"
fi
pgha_use_cluster
pgha_exec patroni --user {uid}:{uid} -- \\
    psql --host {sockets} --port "$PGHA_MEMBER_PORT" --username {superuser} "$@"
"""

LOGS = """\
usage() {
    pgha_fail "usage: pgha-logs etcd|patroni|router|exporter [options of docker logs, such as -f]"
}
[ "$#" -gt 0 ] || usage
pgha_use_cluster
case $1 in
    patroni) services="patroni restapi" ;;
    router) services="haproxy pgbouncer" ;;
    etcd | restapi | haproxy | pgbouncer | exporter) services=$1 ;;
    *) usage ;;
esac
shift
for service in $services; do
    name=$(pgha_container "$service" --all)
    if [ -z "$name" ]; then
        printf '%s: no container, running or stopped\\n' "$service" >&2
        continue
    fi
    docker logs "$@" "$name" 2>&1 | sed "s/^/$service | /" &
done
wait
"""
