#!/usr/bin/env bash
# Provides debian:trixie-slim (pulled when a registry answers, else built by debootstrap) and, from it, the base of
# all images of this project (images/base, tag pgha/base:trixie-1). Does nothing when both are there.
set -euo pipefail
# shellcheck source=images/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../images/lib.sh"

SUITE=trixie

ensure_debootstrap() {
  command -v debootstrap >/dev/null && return 0
  command -v apt-get >/dev/null ||
    fail "$DEBIAN_IMAGE cannot be pulled and this machine has no apt-get to install debootstrap: load that image, then run this again."
  say "installing debootstrap"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends debootstrap; } \
    >"$CACHE_DIR/apt.log" 2>&1 || fail "debootstrap could not be installed: see $CACHE_DIR/apt.log, then run this again."
}

bootstrap_debian() {
  local root log=$CACHE_DIR/debootstrap.log
  ((EUID == 0)) || fail "$DEBIAN_IMAGE cannot be pulled, and only root can build it: run this as root."
  ensure_debootstrap
  root=$(mktemp -d "${TMPDIR:-/var/tmp}/pgha-rootfs.XXXXXX")
  trap 'rm -rf "$root"' EXIT
  with_progress "building $DEBIAN_IMAGE with debootstrap" "$log" \
    "$REPO_DIR/lab/engine/debian-rootfs.sh" "$SUITE" "$root" ||
    fail "debootstrap could not build $DEBIAN_IMAGE ($(reason_in "$log")): see $log, then run this again."
  chmod 0755 "$root"
  tar -C "$root" --numeric-owner -c . | docker import --change 'CMD ["bash"]' - "$DEBIAN_IMAGE" >/dev/null
  rm -rf "$root"
  trap - EXIT
}

ensure_debian() {
  image_exists "$DEBIAN_IMAGE" && return 0
  pull "$DEBIAN_IMAGE" || bootstrap_debian
  say "$DEBIAN_IMAGE is there ($(image_megabytes "$DEBIAN_IMAGE"))"
}

main() {
  is_current base && return 0
  ensure_debian
  build_image base
}

main "$@"
