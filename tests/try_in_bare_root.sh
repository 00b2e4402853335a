#!/bin/bash
# Tries the two commands of the README where nothing is installed: in a fresh Debian 12 made by
# debootstrap, with the committed state of this checkout. Not part of the checks; needs root,
# debootstrap, the network, and 10 GB in DIR. What was installed and built stays in DIR, so that a
# second call goes on from there.
#
#   tests/try_in_bare_root.sh DIR [COMMAND...]
#   tests/try_in_bare_root.sh /var/tmp/bare deploy/install_dependencies.sh
#
# Without COMMAND: the quickstart twice (the second must build nothing), then the tests. DIR may also
# be a root of another system made before, such as an Ubuntu 24.04, which keeps its own apt sources.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SUITE=bookworm
INSIDE=/root/windowkv

say() { echo "try_in_bare_root: $*"; }

fail() {
  echo "try_in_bare_root: FAILED: $*" >&2
  exit 1
}

# The mirror that this machine's apt uses, or nothing.
host_mirror() {
  apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | head -n 1
}

make_root() { # DIR
  say "making a bare $SUITE in $1"
  local mirror=()
  mapfile -t mirror < <(host_mirror)
  debootstrap --variant=minbase "$SUITE" "$1.new" "${mirror[@]}" >"$1.log" 2>&1 ||
    fail "debootstrap, see $1.log"
  mv "$1.new" "$1"
}

codename() { # DIR
  sed -n 's/^VERSION_CODENAME=//p' "$1/etc/os-release"
}

# How this machine reaches its package sources: nothing of it is known to this script.
copy_network_settings() { # DIR
  local path paths=(/etc/pip.conf /root/.config/pip /etc/resolv.conf /etc/hosts
    /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt)
  if [[ $(codename "$1") == "$(codename /)" ]]; then
    rm -f "$1/etc/apt/sources.list"
    paths+=(/etc/apt/sources.list /etc/apt/sources.list.d /etc/apt/apt.conf.d
      /etc/apt/trusted.gpg.d /etc/apt/keyrings)
  fi
  for path in "${paths[@]}"; do
    [[ -e $path ]] || continue
    mkdir -p "$1${path%/*}"
    cp -rL --remove-destination "$path" "$1${path%/*}/"
  done
}

copy_checkout() { # DIR
  if [[ -d $1$INSIDE ]]; then
    git -C "$1$INSIDE" fetch --quiet "$ROOT" HEAD
    git -C "$1$INSIDE" checkout --quiet --detach FETCH_HEAD
  else
    git clone --quiet --no-hardlinks "$ROOT" "$1$INSIDE"
  fi
  say "trying commit $(git -C "$1$INSIDE" log -1 --format='%h %s')"
}

in_root() { # DIR COMMAND...
  local dir=$1
  shift
  chroot "$dir" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
    ${no_proxy:+no_proxy="$no_proxy"} /bin/bash -c 'cd "$1" && shift && exec "$@"' bash "$INSIDE" "$@"
}

timed() { # DIR COMMAND...
  say "----- ${*:2}"
  local start=$SECONDS code=0
  in_root "$@" || code=$?
  local left
  left=$(find /proc/[0-9]*/exe -lname "$1$INSIDE/*" 2>/dev/null | wc -l)
  say "----- ${*:2}: exit code $code after $((SECONDS - start)) s, processes left: $left"
  ((code == 0 && left == 0)) || fail "${*:2}"
}

main() {
  (($# > 0)) || fail "which folder? tests/try_in_bare_root.sh DIR [COMMAND...]"
  ((EUID == 0)) || fail "run this as root"
  command -v debootstrap >/dev/null || fail "install the package debootstrap"
  # Mounts and processes live in namespaces of their own and end with this script, however it ends.
  if [[ ${WINDOWKV_BARE_ROOT_INNER-} != 1 ]]; then
    WINDOWKV_BARE_ROOT_INNER=1 exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"
  fi
  local dir
  dir=$(realpath -m "$1")
  shift
  mkdir -p "$(dirname "$dir")"
  [[ -d $dir ]] || make_root "$dir"
  copy_network_settings "$dir"
  copy_checkout "$dir"
  mount -t proc proc "$dir/proc"
  mount --rbind /dev "$dir/dev"
  mount --rbind /sys "$dir/sys"

  if (($#)); then
    timed "$dir" "$@"
  else
    timed "$dir" deploy/quickstart.sh
    timed "$dir" deploy/quickstart.sh
    timed "$dir" tests/run.sh
  fi
}

main "$@"
