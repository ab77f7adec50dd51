# shellcheck shell=bash
# Functions that build.sh, save.sh, smoke.sh and lab/engine/base-image.sh share; sourced, never run.

IMAGES_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO_DIR=$(dirname "$IMAGES_DIR")
CACHE_DIR=${PGHA_CACHE_DIR:-$REPO_DIR/.cache/images}
INPUTS_LABEL=pgha.inputs
SOURCE_LABEL=pgha.postgresql-source
# The major version that Debian trixie has itself.
export DEBIAN_PG_MAJOR=17
# That of Debian trixie; wheels are downloaded for it.
PYTHON_OF_THE_IMAGE=3.13
DOWNLOADS=$CACHE_DIR/downloads
PULL_SECONDS=${PGHA_PULL_SECONDS:-240}
# shellcheck source=lab/engine/common.sh
source "$REPO_DIR/lab/engine/common.sh"
# shellcheck source=images/versions.env
source "$IMAGES_DIR/versions.env"
mkdir -p "$CACHE_DIR"

image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null; }
image_exists() { image_id "$1" >/dev/null; }
image_label() { docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null; }
image_megabytes() { docker image inspect --format '{{.Size}}' "$1" | awk '{printf "%d MB", $1 / 1000000}'; }

# Background jobs of a script ignore Ctrl-C; this passes it on.
stop_children() {
  local pid
  for pid in $(jobs -p); do
    pkill -TERM -P "$pid" 2>/dev/null || true
    kill -TERM "$pid" 2>/dev/null || true
  done
}

# with_progress WHAT LOG COMMAND...: runs it with its output in LOG and says every 15 s that it still runs.
with_progress() {
  local what=$1 log=$2 started=$SECONDS pid next
  shift 2
  next=$((SECONDS + 15))
  "$@" >"$log" 2>&1 </dev/null &
  pid=$!
  trap 'stop_children; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    if ((SECONDS >= next)); then
      say "$what: still running after $((SECONDS - started)) s$(last_step "$log")"
      next=$((SECONDS + 15))
    fi
    sleep 0.2
  done
  wait "$pid"
}

last_step() { grep -oE '^Step [0-9]+/[0-9]+' "$1" | tail -n 1 | sed 's/^/, /' || true; }

# The line of a log that most likely says why a command failed.
reason_in() {
  { grep -iE '(^E: |error|fail|denied|no such|not found)' "$1" || cat "$1"; } | grep -v '^ *$' | tail -n 1 | sed 's/^error: //' | cut -c1-300
}

# Names and contents of all files of a folder, as one hash.
folder_hash() {
  (cd "$1" && find . -type f ! -name '*.md' ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-32
}

# Two builds of the same machine must not write the same cache and tags.
lock_builds() {
  exec 9>"$CACHE_DIR/build.lock"
  flock -n 9 && return 0
  say "another build is running on this machine; waiting for it"
  flock -w "${PGHA_BUILD_LOCK_SECONDS:-900}" 9 ||
    fail "another image build has held $CACHE_DIR/build.lock for too long: end it, then run this again."
}

# pull IMAGE: 0 when the image is there afterwards. Machines without a registry get an answer within seconds.
pull() {
  local log=$CACHE_DIR/pull-${1//[^a-z0-9.]/_}.log
  image_exists "$1" && return 0
  with_progress "pulling $1" "$log" timeout "$PULL_SECONDS" docker pull "$1" && return 0
  say "$1 cannot be pulled here ($(reason_in "$log")); using packages instead"
  return 1
}

# What an image is made of. The base image's id is part of it, so a new base means new images.
inputs_of() {
  local name=$1
  {
    folder_hash "$IMAGES_DIR/$name"
    build_arguments "$name"
    [[ $name == base ]] || image_id "${IMAGE_TAGS[base]}" || true
    [[ $name != exporter ]] || exporter_sources | sha256sum
    [[ $name != patroni ]] || printf '%s\n' "source=${PGHA_PG_SOURCE:-auto}"
  } | sha256sum | cut -c1-32
}

build_arguments() {
  case $1 in
    base) printf '%s\n' "DEBIAN_IMAGE=$DEBIAN_IMAGE" ;;
    etcd) printf '%s\n' "BASE_IMAGE=${IMAGE_TAGS[base]}" "ETCD_VERSION=$ETCD_VERSION" ;;
    exporter) printf '%s\n' "BASE_IMAGE=${IMAGE_TAGS[base]}" ;;
    patroni) printf '%s\n' "BASE_IMAGE=${IMAGE_TAGS[base]}" "PG_MAJOR=$PG_MAJOR" ;;
    router)
      printf '%s\n' "BASE_IMAGE=${IMAGE_TAGS[base]}" "HAPROXY_VERSION=$HAPROXY_VERSION" \
        "PGBOUNCER_VERSION=$PGBOUNCER_VERSION"
      ;;
    monitoring)
      printf '%s\n' "BASE_IMAGE=${IMAGE_TAGS[base]}" "PROMETHEUS_VERSION=$PROMETHEUS_VERSION"
      ;;
  esac
}

is_current() {
  [[ ${PGHA_REBUILD:-0} != 1 && $(image_label "${IMAGE_TAGS[$1]}" "$INPUTS_LABEL") == "$(inputs_of "$1")" ]]
}

# build_image NAME [EXTRA_CONTEXT_DIR]: builds NAME from its folder and from what lies in EXTRA_CONTEXT_DIR.
build_image() {
  local name=$1 extra=${2:-} tag=${IMAGE_TAGS[$1]} log=$CACHE_DIR/build-$1.log started=$SECONDS previous
  previous=$(image_id "$tag") || previous=
  say "$name: building $tag"
  with_progress "$name" "$log" run_docker_build "$name" "$extra" ||
    fail "the image $tag could not be built ($(reason_in "$log")): see $log, then run this again."
  remove_untagged "$previous"
  say "$name: built in $((SECONDS - started)) s, $(image_megabytes "$tag")"
}

# Removing an image by its id would also take its last tag, so only when it has none.
remove_untagged() {
  [[ -n $1 && $(docker image inspect --format '{{len .RepoTags}}' "$1" 2>/dev/null) == 0 ]] || return 0
  docker image rm "$1" >/dev/null 2>&1 || true
}

run_docker_build() {
  local name=$1 extra=$2 arguments=() argument
  while read -r argument; do arguments+=(--build-arg "$argument"); done < <(build_arguments "$name")
  [[ ! -f $extra/source ]] || arguments+=(--label "$SOURCE_LABEL=$(cat "$extra/source")")
  [[ ${PGHA_REBUILD:-0} != 1 ]] || arguments+=(--no-cache)
  context_of "$name" "$extra" |
    DOCKER_BUILDKIT=$(buildkit_or_classic) docker build --tag "${IMAGE_TAGS[$name]}" \
      --label "$INPUTS_LABEL=$(inputs_of "$name")" "${arguments[@]}" -
}

# Docker's client needs the buildx plugin for BuildKit; the Dockerfiles also suit the classic builder.
buildkit_or_classic() { if docker buildx version >/dev/null 2>&1; then echo 1; else echo 0; fi; }

context_of() {
  local sources=(-C "$IMAGES_DIR/$1" .)
  [[ -z $2 ]] || sources+=(-C "$2" .)
  tar --sort=name --owner=0 --group=0 --numeric-owner -c "${sources[@]}"
}

pip_download() {
  local destination=$1 requirements=$2 log
  log=$CACHE_DIR/pip-$(basename "$requirements" .txt).log
  mkdir -p "$destination"
  with_progress "downloading $(basename "$requirements" .txt)" "$log" \
    "$(python_with_pip)" -m pip download --disable-pip-version-check --no-deps --require-hashes \
    --requirement "$requirements" --dest "$destination" --python-version "$PYTHON_OF_THE_IMAGE" \
    --implementation cp --abi "cp${PYTHON_OF_THE_IMAGE/./}" --abi abi3 --abi none \
    --platform "manylinux_2_28_$(uname -m)" --platform "manylinux_2_27_$(uname -m)" \
    --platform "manylinux_2_17_$(uname -m)" --platform "manylinux2014_$(uname -m)" --platform any ||
    fail "pip could not download what $(basename "$requirements") names ($(reason_in "$log")): see $log, then run this again."
}

# Debian's python3 comes without pip; an environment of our own has it.
python_with_pip() {
  local python=${PYTHON:-python3} own=$CACHE_DIR/pip/bin/python
  if "$python" -m pip --version >/dev/null 2>&1; then
    printf '%s\n' "$python"
    return
  fi
  [[ -x $own ]] || make_pip_environment "$python" || fail "this machine's $python has no pip: run 'apt-get install python3-venv', then run this again."
  printf '%s\n' "$own"
}

make_pip_environment() {
  "$1" -m venv "$CACHE_DIR/pip" >/dev/null 2>&1 && return 0
  apt_install python3-venv && "$1" -m venv --clear "$CACHE_DIR/pip" >/dev/null 2>&1
}

apt_install() {
  say "installing $*"
  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; } \
    >"$CACHE_DIR/apt.log" 2>&1
}

# wheels_of NAME: the folder with what NAME's requirement files name, downloaded when it is not there yet.
wheels_of() {
  local name=$1 wheels
  wheels=$DOWNLOADS/wheels-$(cat "$IMAGES_DIR/$name/requirements.txt" "$IMAGES_DIR/$name/build-requirements.txt" |
    sha256sum | cut -c1-16)
  if [[ ! -d $wheels ]]; then
    rm -rf "$wheels.new"
    pip_download "$wheels.new" "$IMAGES_DIR/$name/requirements.txt" >&2
    pip_download "$wheels.new" "$IMAGES_DIR/$name/build-requirements.txt" >&2
    mv "$wheels.new" "$wheels"
  fi
  printf '%s\n' "$wheels"
}

# The exporter's image is made of its wheels and of this repository's own packages.
EXPORTER_SOURCES=(exporter/pyproject.toml exporter/README.md exporter/pgha_exporter _utils/pgha)

exporter_sources() {
  tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 --exclude=__pycache__ \
    -C "$REPO_DIR" -c "${EXPORTER_SOURCES[@]}"
}

get_exporter() {
  local context=$CACHE_DIR/exporter
  rm -rf "$context"
  mkdir -p "$context/source"
  cp -r "$(wheels_of exporter)" "$context/wheels"
  exporter_sources | tar -x -C "$context/source"
}
