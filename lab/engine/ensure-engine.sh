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

missing_packages() {
  command -v dockerd >/dev/null || printf '%s\n' docker.io
  command -v docker >/dev/null || docker_client_package
  command -v iptables >/dev/null || printf '%s\n' iptables
}

# trixie split the client out of docker.io; bookworm's docker.io has it.
docker_client_package() {
  apt-cache show docker-cli >/dev/null 2>&1 && printf '%s\n' docker-cli || true
}

install_packages() {
  local packages=("$@")
  command -v apt-get >/dev/null ||
    fail "no Docker Engine answers and this machine has no apt-get: install Docker Engine, then run this again."
  say "installing ${packages[*]}"
  # policy-rc.d in containers may forbid service starts; the engine is started below in any case.
  {
    apt-get -qq update &&
      DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}"
  } >>"$ENGINE_LOG" 2>&1 ||
    fail "apt-get could not install ${packages[*]}: see the end of $ENGINE_LOG, then run this again."
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
  pid=$(cat /var/run/docker.pid 2>/dev/null) && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]]
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
  local missing
  exec 9>"$LOCK"
  flock -w "$START_DEADLINE" 9 || fail "another run has held $LOCK for $START_DEADLINE s: end it, then run this again."
  missing=$(missing_packages)
  # shellcheck disable=SC2086 # one package per word
  [[ -z $missing ]] || install_packages $missing
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
