# shellcheck shell=bash
# Shared by the engine scripts; sourced, never run.

ENGINE_PIDFILE=${PGHA_ENGINE_PIDFILE:-/run/pgha-dockerd.pid}
# shellcheck disable=SC2034 # used by the scripts that source this file
ENGINE_LOG=${PGHA_ENGINE_LOG:-/var/log/pgha-dockerd.log}
# Scripts started by another one of ours go on with its clock.
export PGHA_STARTED_AT=${PGHA_STARTED_AT:-$EPOCHSECONDS}

say() { printf '[%4ds] %s\n' "$((EPOCHSECONDS - PGHA_STARTED_AT))" "$*" >&2; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# wait_until DEADLINE_SECONDS COMMAND...: polls four times a second; 1 when the deadline has passed.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.25
  done
}

engine_answers() { timeout 10 docker info >/dev/null 2>&1; }

# The pid is only ours while a dockerd runs under it: pids are used again after a reboot.
our_engine_pid() {
  local pid
  pid=$(cat "$ENGINE_PIDFILE" 2>/dev/null) || return 1
  [[ $pid =~ ^[0-9]+$ && $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] || return 1
  printf '%s\n' "$pid"
}

our_engine_runs() { our_engine_pid >/dev/null; }
our_engine_gone() { ! our_engine_runs; }
