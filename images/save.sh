#!/usr/bin/env bash
# save.sh DIR [NAME...]: writes each image (default: etcd patroni router exporter) to DIR/<tag with / and : as _>.tar,
# unless the tar there holds this very image already. Servers load these files where no registry is used.
set -euo pipefail
# shellcheck source=images/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

tar_name() { tr '/:' '__' <<<"$1.tar"; }

# The manifest of the archive names the image's configuration by the image id.
holds() {
  local id=${2#sha256:}
  [[ -s $1 ]] && tar -xOf "$1" manifest.json 2>/dev/null | grep -q "$id"
}

save() {
  local tag=$1 file=$2 id started=$SECONDS
  id=$(image_id "$tag") || fail "the image $tag is missing: run images/build.sh, then run this again."
  ! holds "$file" "$id" || { say "$(basename "$file") is up to date"; return; }
  docker save --output "$file.new" "$tag" || fail "$tag could not be saved to $file: look at the free space there, then run this again."
  chmod 0644 "$file.new"
  mv "$file.new" "$file"
  say "$(basename "$file"): written in $((SECONDS - started)) s, $(du -m "$file" | cut -f1) MB"
}

main() {
  local directory=${1:-} name
  [[ -n $directory ]] || fail "no directory given: run images/save.sh DIR."
  shift
  (($# > 0)) || set -- etcd patroni router exporter
  mkdir -p "$directory"
  for name in "$@"; do
    [[ -n ${IMAGE_TAGS[$name]:-} ]] || fail "there is no image called '$name': the images are ${IMAGES[*]}."
    save "${IMAGE_TAGS[$name]}" "$directory/$(tar_name "${IMAGE_TAGS[$name]}")"
  done
}

main "$@"
