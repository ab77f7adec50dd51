#!/usr/bin/env bash
# build.sh: builds the two images of the compatibility tests when they are missing or their inputs have changed.
# pgha/compat:old is Debian 12, pgha/compat:new Debian 13 on the product's Patroni image; see image/Dockerfile.
set -euo pipefail
# shellcheck source=images/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../images/lib.sh"

HERE=$REPO_DIR/tests/compat
OLD_DEBIAN_IMAGE=debian:bookworm-slim
PATRONI_IMAGE=${IMAGE_TAGS[patroni]}
CONTEXT=$CACHE_DIR/compat
LOG=$CACHE_DIR/build-compat.log

compat_inputs() {
  {
    folder_hash "$HERE/image"
    cat "$HERE/build.sh"
    cat "$IMAGES_DIR"/{patroni,exporter}/build-requirements.txt "$IMAGES_DIR/exporter/requirements.txt"
    image_id "$PATRONI_IMAGE"
    image_id "$OLD_DEBIAN_IMAGE" || true
  } | sha256sum | cut -c1-32
}

is_current_compat() { [[ $(image_label "pgha/compat:$1" "$INPUTS_LABEL") == "$(compat_inputs)" ]]; }

ensure_old_debian() {
  image_exists "$OLD_DEBIAN_IMAGE" && return 0
  pull "$OLD_DEBIAN_IMAGE" && return 0
  ((EUID == 0)) || fail "$OLD_DEBIAN_IMAGE cannot be pulled, and only root can build it: run this as root."
  command -v debootstrap >/dev/null || apt_install debootstrap ||
    fail "debootstrap could not be installed: see $CACHE_DIR/apt.log, then run this again."
  ROOTFS=$(mktemp -d "${TMPDIR:-/var/tmp}/pgha-rootfs.XXXXXX")
  trap 'rm -rf "$ROOTFS"' EXIT
  with_progress "building $OLD_DEBIAN_IMAGE with debootstrap" "$CACHE_DIR/debootstrap-old.log" \
    "$REPO_DIR/lab/engine/debian-rootfs.sh" bookworm "$ROOTFS" ||
    fail "debootstrap could not build $OLD_DEBIAN_IMAGE: see $CACHE_DIR/debootstrap-old.log, then run this again."
  chmod 0755 "$ROOTFS"
  tar -C "$ROOTFS" --numeric-owner -c . | docker import --change 'CMD ["bash"]' - "$OLD_DEBIAN_IMAGE" >/dev/null
  rm -rf "$ROOTFS"
  trap - EXIT
}

# wheels PYTHON: what the image of that Python is made of, in CONTEXT/PYTHON.
wheels() {
  local target=$CONTEXT/$1
  PYTHON_OF_THE_IMAGE=$1
  pip_download "$target/patroni" "$IMAGES_DIR/patroni/build-requirements.txt"
  pip_download "$target/patroni" "$HERE/image/patroni.txt"
  pip_download "$target/exporter" "$IMAGES_DIR/exporter/build-requirements.txt"
  pip_download "$target/exporter" "$IMAGES_DIR/exporter/requirements.txt"
  # For the exporter's extra "binary"; its hash is in patroni.txt. pip complains if the two psycopg ever differ.
  cp "$target"/patroni/psycopg_binary-*.whl "$target/exporter/"
  cp "$IMAGES_DIR/patroni/build-requirements.txt" "$target/patroni/"
  cp "$HERE/image/patroni.txt" "$target/patroni/requirements.txt"
  cp "$IMAGES_DIR"/exporter/{build-requirements,requirements}.txt "$target/exporter/"
  cp "$HERE/image/install" "$target/"
}

docker_build() {
  tar --sort=name --owner=0 --group=0 --numeric-owner -c -C "$HERE/image" . -C "$CONTEXT" . |
    DOCKER_BUILDKIT=$(buildkit_or_classic) docker build --target "$1" --tag "pgha/compat:$1" \
      --build-arg "PATRONI_IMAGE=$PATRONI_IMAGE" --build-arg "OLD_DEBIAN_IMAGE=$OLD_DEBIAN_IMAGE" \
      --label "$INPUTS_LABEL=$(compat_inputs)" -
}

build() {
  local previous
  previous=$(image_id "pgha/compat:$1") || previous=
  with_progress "compat $1" "$LOG" docker_build "$1" ||
    fail "pgha/compat:$1 could not be built ($(reason_in "$LOG")): see $LOG, then run this again."
  remove_untagged "$previous"
  say "pgha/compat:$1 is there ($(image_megabytes "pgha/compat:$1"))"
}

main() {
  engine_answers || fail "no Docker Engine answers: run lab/engine/ensure-engine.sh, then run this again."
  image_exists "$PATRONI_IMAGE" || fail "$PATRONI_IMAGE is not built: run images/build.sh patroni, then run this again."
  ensure_old_debian
  lock_builds
  if is_current_compat old && is_current_compat new; then return; fi
  rm -rf "$CONTEXT"
  wheels 3.11
  wheels 3.13
  build old
  build new
  rm -rf "$CONTEXT"
}

main "$@"
