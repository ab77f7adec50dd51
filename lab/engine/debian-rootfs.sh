#!/usr/bin/env bash
# debian-rootfs.sh SUITE DIR: a slim Debian root file system in DIR, like the official "-slim" images (root, debootstrap).
# Used where no registry answers. What is left out follows debuerreotype's list for slim images.
set -euo pipefail
suite=$1
root=$2

LEFT_OUT=(/usr/share/man /usr/share/info /usr/share/locale /usr/share/groff /usr/share/lintian /usr/share/linda)

bootstrap() { debootstrap --variant=minbase "$suite" "$root" ${PGHA_DEBIAN_MIRROR:+"$PGHA_DEBIAN_MIRROR"}; }

# debootstrap names only the main suite; security fixes come from the sister archive of the same mirror.
name_security_suite() {
  local list=$root/etc/apt/sources.list
  sed -n "s|/debian/* $suite main.*|/debian-security $suite-security main|p" "$list" >>"$list.new"
  sed -n "s|\( $suite\) main.*|\1-updates main|p" "$list" >>"$list.new"
  cat "$list.new" >>"$list"
  rm "$list.new"
}

configure_dpkg_and_apt() {
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod 0755 "$root/usr/sbin/policy-rc.d"
  printf 'force-unsafe-io\n' >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
  {
    printf 'path-exclude %s/*\n' "${LEFT_OUT[@]}" /usr/share/doc
    printf 'path-include /usr/share/doc/*/copyright\n'
  } >"$root/etc/dpkg/dpkg.cfg.d/slim"
  cat >"$root/etc/apt/apt.conf.d/slim" <<'CONF'
Acquire::Languages "none";
Acquire::GzipIndexes "true";
APT::AutoRemove::SuggestsImportant "false";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
CONF
}

# Here and not in a later image layer, where replaced files would count twice.
install_security_fixes() {
  chroot "$root" apt-get -qq update
  DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -qq upgrade -y --no-install-recommends
}

trim() {
  local path
  for path in "${LEFT_OUT[@]}"; do rm -rf "${root:?}$path"/*; done
  find "$root/usr/share/doc" -mindepth 2 ! -name copyright ! -type d -delete
  find "$root/usr/share/doc" -type d -empty -delete
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/var/cache/debconf/*-old \
    "$root"/var/lib/dpkg/*-old "$root"/tmp/*
  rm -f "$root/etc/resolv.conf" "$root/etc/hostname" "$root/etc/machine-id"
  : >"$root/etc/machine-id"
}

bootstrap
name_security_suite
configure_dpkg_and_apt
install_security_fixes
trim
