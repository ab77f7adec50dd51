#!/usr/bin/env bash
# build.sh [NAME...]: builds the images that are missing or whose inputs have changed (default: all of them).
# Names: base etcd patroni router exporter, and monitoring, which is built only when named. PG_MAJOR=15..18,
# PGHA_PG_SOURCE, PGHA_REBUILD=1: see README.md.
set -euo pipefail
# shellcheck source=images/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

check_names() {
  local name
  for name in "$@"; do
    [[ -n ${IMAGE_TAGS[$name]:-} ]] || fail "there is no image called '$name': the images are ${IMAGES[*]}."
  done
}

stale_of() {
  local name
  for name in "$@"; do is_current "$name" || printf '%s\n' "$name"; done
}

wanted() { [[ " $STALE " == *" $1 "* ]]; }

build_small_images() {
  ! wanted router || build_image router
  ! wanted etcd || build_image etcd
  ! wanted exporter || { get_exporter && build_image exporter "$CACHE_DIR/exporter"; }
  ! wanted monitoring || build_image monitoring
}

# Debian's packages are fetched in a container, so that source has to wait for the base image.
fetch_needs_base() { [[ ${PGHA_PG_SOURCE:-} == debian ]] || ((PG_MAJOR == DEBIAN_PG_MAJOR)); }

start_fetch() {
  FETCH=
  wanted patroni && ! fetch_needs_base || return 0
  "$IMAGES_DIR/get-packages.sh" &
  FETCH=$!
}

finish_fetch() { if [[ -n $FETCH ]]; then wait "$FETCH"; else "$IMAGES_DIR/get-packages.sh"; fi; }

build_patroni() {
  wanted patroni || return 0
  finish_fetch || return 1
  (build_image patroni "$CACHE_DIR/patroni-$PG_MAJOR")
}

# Two at a time: what patroni is made of downloads while the base is made, the small images build beside patroni.
build_stale() {
  local small failed=0
  start_fetch
  "$REPO_DIR/lab/engine/base-image.sh" || { finish_fetch || true; return 1; }
  STALE=$(stale_of "$@" | xargs)
  build_small_images &
  small=$!
  build_patroni || failed=1
  wait "$small" || failed=1
  return "$failed"
}

main() {
  local names=("$@")
  ((${#names[@]} > 0)) || names=("${IMAGES[@]}")
  check_names "${names[@]}"
  engine_answers || fail "no Docker Engine answers: run lab/engine/ensure-engine.sh, then run this again."
  lock_builds
  STALE=$(stale_of "${names[@]}" | xargs)
  [[ -n $STALE ]] || { say "images: all up to date"; return; }
  trap 'stop_children; exit 130' INT TERM
  say "images to build: $STALE"
  build_stale "${names[@]}"
  say "images: done"
}

main "$@"
