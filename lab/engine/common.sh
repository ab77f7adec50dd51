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

# Pids are used again, and a dead process that nobody has reaped keeps its name but not its program.
is_dockerd() { [[ $1 =~ ^[0-9]+$ && $(readlink "/proc/$1/exe") == */dockerd* ]]; }

our_engine_pid() {
  local pid
  pid=$(cat "$ENGINE_PIDFILE" 2>/dev/null) && is_dockerd "$pid" || return 1
  printf '%s\n' "$pid"
}

our_engine_runs() { our_engine_pid >/dev/null; }
our_engine_gone() { ! our_engine_runs; }
