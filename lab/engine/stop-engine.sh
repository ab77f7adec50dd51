#!/usr/bin/env bash
# Stops the Docker Engine that ensure-engine.sh started by hand; leaves any other engine alone.
set -euo pipefail
# shellcheck source=lab/engine/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

main() {
  local pid
  pid=$(our_engine_pid) || { say "no engine of ours is running"; rm -f "$ENGINE_PIDFILE"; return; }
  kill -TERM "$pid"
  wait_until "${PGHA_ENGINE_STOP_SECONDS:-60}" our_engine_gone ||
    fail "dockerd (pid $pid) did not stop in time: see the end of $ENGINE_LOG, then run this again."
  rm -f "$ENGINE_PIDFILE"
  say "the engine has stopped"
}

main "$@"
