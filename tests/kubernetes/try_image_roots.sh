#!/bin/bash
# Tries the images' contents where no container engine runs: makes their root file systems in a fresh
# Debian with the script that the Containerfiles run, starts each server in its own, read-only and as
# a user without rights, and asks the example question. Not part of the checks: see
# tests/try_in_bare_root.sh for what it needs; building takes a quarter of an hour.
#
#   tests/kubernetes/try_image_roots.sh DIR [PROGRAMS]
#
# PROGRAMS: a folder of programs, built on Debian 12 from this commit, instead of a build in DIR.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# In the bare root: the checkout, where its programs are, and what is made.
INSIDE=/root/windowkv
BIN=$INSIDE/build/release/bin
ROOTS=/root/image_roots
USER_ID=65532
START_SECONDS=60

PIDS=()
declare -A GRPC

say() { echo "try_image_roots: $*"; }

fail() {
  echo "try_image_roots: FAILED: $*" >&2
  exit 1
}

in_bare_root() { # COMMAND...
  "$ROOT/tests/try_in_bare_root.sh" "$DIR" "$@"
}

make_roots() { # [PROGRAMS]
  in_bare_root rm -rf "$ROOTS"
  if (($#)); then
    in_bare_root deploy/install_dependencies.sh
    mkdir -p "$DIR$BIN"
    cp "$1"/windowkv{,-router,-classifier,-generation} "$DIR$BIN/"
    in_bare_root deploy/images/build_roots.sh "$ROOTS" "$BIN"
  else
    in_bare_root deploy/images/build_roots.sh "$ROOTS"
    in_bare_root cmake --build --preset release --parallel "$(nproc)" --target windowkv
  fi
}

# Mounts as a container engine would with a read-only root file system.
mount_root() { # ROOT
  mount --bind "$1" "$1"
  mount -o remount,bind,ro "$1"
  mount -t proc proc "$1/proc"
  mount -t tmpfs -o ro,nosuid tmpfs "$1/dev"
}

start() { # NAME FLAG...
  local root=$DIR$ROOTS/$1 name=$1 tenths status
  shift
  mount_root "$root"
  : >"$WORK/$name.out"
  say "$name: $(du -sxm "$root" | cut -f 1) MB, $(find "$root" -name '*.so*' | wc -l) libraries"
  chroot --userspec=$USER_ID:$USER_ID --groups=$USER_ID "$root" "/usr/bin/$name" \
    --listen 127.0.0.1:0 --http 127.0.0.1:0 "$@" </dev/null >"$WORK/$name.out" 2>"$WORK/$name.log" &
  PIDS+=($!)
  for ((tenths = 0; tenths < START_SECONDS * 10; tenths++)); do
    if [[ $(<"$WORK/$name.out") =~ ready:\ grpc\ ([^ ]+) ]]; then
      GRPC[$name]=${BASH_REMATCH[1]}
      status=$(</proc/$!/status)
      [[ $status =~ Uid:[[:space:]]+$USER_ID && $status =~ CapEff:[[:space:]]+0+$'\n' ]] ||
        fail "$name has rights"
      ! touch "$root/tmp/x" 2>/dev/null || fail "the root of $name can be written"
      return
    fi
    kill -0 $! 2>/dev/null || break
    sleep 0.1
  done
  cat "$WORK/$name.log" >&2
  fail "$name was not ready"
}

ask() { # NAME FLAG...
  local name=$1
  shift
  chroot "$DIR" env no_grpc_proxy=127.0.0.1 "$BIN/windowkv" generate --target "${GRPC[windowkv-router]}" --chat --prompt-file /root/prompt.txt \
    --temperature 0 --max-tokens 32 --json "$@" >"$DIR/root/$name.json" ||
    fail "windowkv generate $*"
}

# SIGTERM, as the kubelet sends it; each must say that it stopped.
stop() {
  local pid
  for pid in "${PIDS[@]}"; do kill -TERM "$pid"; done
  for pid in "${PIDS[@]}"; do wait "$pid" || fail "process $pid ended with $?"; done
  PIDS=()
}

main() {
  (($# == 1 || $# == 2)) || fail "usage: tests/kubernetes/try_image_roots.sh DIR [PROGRAMS]"
  # Mounts and processes live in namespaces of their own and end with this script, however it ends.
  if [[ ${WINDOWKV_IMAGE_ROOTS_INNER-} != 1 ]]; then
    WINDOWKV_IMAGE_ROOTS_INNER=1 exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@"
  fi
  DIR=$(realpath -m "$1")
  shift
  make_roots "$@"
  WORK=$(mktemp -d)
  trap 'rm -rf "$WORK"' EXIT
  start windowkv-classifier --model /models/task_classifier
  start windowkv-generation --model /models/demo_llama --kv-pool-bytes 256MiB
  start windowkv-router --classifier "${GRPC[windowkv-classifier]}" \
    --generation "${GRPC[windowkv-generation]}"
  chroot "$DIR" python3 "$INSIDE/deploy/example_question.py" prompt "$INSIDE/tests/golden/data" \
    >"$DIR/root/prompt.txt"
  ask full --policy full
  ask windowkv --policy windowkv --budget-tokens 256
  chroot "$DIR" python3 "$INSIDE/deploy/example_question.py" compare "$INSIDE/tests/golden/data" \
    /root/full.json /root/windowkv.json || fail "an answer is not the expected one"
  stop
  say "answered"
}

main "$@"
