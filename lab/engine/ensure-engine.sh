#!/usr/bin/env bash
# Makes a Docker Engine answer on this machine (Debian 12 or newer, root). A running one is left alone.
# The engine started here logs to /var/log/pgha-dockerd.log, its pid is in /run/pgha-dockerd.pid
# (PGHA_ENGINE_LOG, PGHA_ENGINE_PIDFILE); stop-engine.sh stops it again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=lab/engine/common.sh
source "$here/common.sh"

START_DEADLINE=${PGHA_ENGINE_START_SECONDS:-90}
LOCK=/run/pgha-dockerd.lock
# As long as another run may need to install packages and start the engine.
LOCK_DEADLINE=600

install_what_is_missing() {
  command -v dockerd >/dev/null || install_package docker.io
  command -v iptables >/dev/null || install_package iptables
  # bookworm's docker.io has the client, trixie's has not.
  command -v docker >/dev/null || install_package docker-cli
}

install_package() {
  command -v apt-get >/dev/null ||
    fail "no Docker Engine answers and this machine has no apt-get: install Docker Engine, then run this again."
  say "installing $1"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$1"; } \
    >>"$ENGINE_LOG" 2>&1 ||
    fail "apt-get could not install $1: see the end of $ENGINE_LOG, then run this again."
}

runs_systemd() { [[ -d /run/systemd/system ]]; }

start_by_systemd() {
  say "starting docker.service"
  systemctl start docker.service >>"$ENGINE_LOG" 2>&1 ||
    fail "docker.service did not start: look at 'journalctl -u docker', then run this again."
}

# Not by process name: the servers of the lab run a dockerd of their own, and this machine sees those too.
an_engine_is_starting() {
  local pid
  pid=$(cat /var/run/docker.pid 2>/dev/null) && is_dockerd "$pid"
}

start_by_hand() {
  say "starting dockerd (log: $ENGINE_LOG)"
  # A killed dockerd leaves its pid file; should that pid be in use again, the next dockerd would refuse to start.
  rm -f /var/run/docker.pid
  # Without the lock (9), which it would hold for as long as it runs.
  setsid dockerd >>"$ENGINE_LOG" 2>&1 </dev/null 9>&- &
  printf '%s\n' "$!" >"$ENGINE_PIDFILE"
}

answers_or_died() { engine_answers || { ! an_engine_is_starting && our_engine_gone; }; }

main() {
  engine_answers && return 0
  [[ -z ${DOCKER_HOST:-} ]] ||
    fail "the engine at DOCKER_HOST=$DOCKER_HOST does not answer: start it, or unset DOCKER_HOST to use this machine's."
  ((EUID == 0)) || fail "no Docker Engine answers, and only root can start one: run this as root."
  exec 9>"$LOCK"
  flock -w "$LOCK_DEADLINE" 9 || fail "another run has held $LOCK for $LOCK_DEADLINE s: end it, then run this again."
  install_what_is_missing
  engine_answers && return 0
  if runs_systemd; then
    start_by_systemd
    wait_until "$START_DEADLINE" engine_answers || true
  else
    an_engine_is_starting || our_engine_runs || start_by_hand
    wait_until "$START_DEADLINE" answers_or_died || true
  fi
  engine_answers ||
    fail "the Docker Engine did not answer within $START_DEADLINE s: see the end of $ENGINE_LOG, then run this again."
  say "the Docker Engine $(docker version --format '{{.Server.Version}}') answers"
}

main "$@"
