#!/bin/bash
# Makes the root file systems of the images, one for each server: the stripped program, the shared
# libraries that it loads, the loader, its demo model, a user. No shell, no package manager.
#
#   deploy/images/build_roots.sh [--cuda] DEST [PROGRAMS]
#
# DEST/windowkv-router, …-classifier and …-generation are made; with --cuda the last alone, for NVIDIA
# GPUs. PROGRAMS: a folder of programs built before on the same system, instead of installing the
# dependencies and building here.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LIBTORCH=$ROOT/.deps/libtorch
CUDA_LIBRARIES=$ROOT/.deps/cuda/torch:$ROOT/.deps/cuda_runtime
LIBRARIES=usr/lib/x86_64-linux-gnu
# The manifests' runAsUser.
USER_ID=65532

fail() {
  echo "build_roots: FAILED: $*" >&2
  exit 1
}

build() { # PRESET SERVER...
  local preset=$1 dependencies=()
  shift
  [[ $preset == release ]] || dependencies=(--cuda --cuda-runtime)
  "$ROOT/deploy/install_dependencies.sh" "${dependencies[@]}"
  cd "$ROOT"
  # Lets ccache know the same sources again in another folder.
  export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1
  cmake --preset "$preset"
  cmake --build --preset "$preset" --parallel "$(nproc)" --target "$@"
}

# The files that the loader would open for a program, the loader itself among them.
libraries_of() { # PROGRAM
  local listing
  listing=$(LD_LIBRARY_PATH=$LIBTORCH/torch/lib:$LIBTORCH/nvidia/cu13/lib:$CUDA_LIBRARIES ldd "$1") || fail "ldd $1"
  [[ $listing != *'not found'* ]] || fail "$1: $(grep 'not found' <<<"$listing")"
  sed -nE 's/^(.* => |\t)(\/.*) \(0x[0-9a-f]+\)$/\2/p' <<<"$listing"
}

make_root() { # DEST PROGRAM
  local root=$1 libraries library
  # By itself, so that its failure is the script's.
  libraries=$(libraries_of "$2")
  mkdir -p "$root"/{dev,etc,models,proc,sys,tmp,usr/bin,usr/lib64,"$LIBRARIES"}
  ln -s usr/lib "$root/lib"
  ln -s usr/lib64 "$root/lib64"
  strip --strip-unneeded -o "$root/usr/bin/${2##*/}" "$2"
  while read -r library; do
    case $library in
      */ld-linux-x86-64.so.2) cp -L "$library" "$root/usr/lib64/" ;;
      *) cp -L "$library" "$root/$LIBRARIES/" ;;
    esac
  done <<<"$libraries"
  echo "windowkv:x:$USER_ID:$USER_ID::/:/none" >"$root/etc/passwd"
  echo "windowkv:x:$USER_ID:" >"$root/etc/group"
}

# What libraries of CUDA open by name while they run: cuDNN its engines, these the compiler.
add_opened_libraries() { # ROOT
  local library
  for library in "$ROOT"/.deps/cuda_runtime/lib{cudnn,nvrtc,nvJitLink}*.so*; do
    cp -L "$library" "$1/$LIBRARIES/"
  done
}

main() {
  local preset=release servers=(windowkv-router windowkv-classifier windowkv-generation) name
  if [[ ${1-} == --cuda ]]; then
    preset=cuda servers=(windowkv-generation)
    shift
  fi
  (($# == 1 || $# == 2)) || fail "usage: deploy/images/build_roots.sh [--cuda] DEST [PROGRAMS]"
  local dest programs
  # The caller's, though building goes to the repository's root.
  dest=$(realpath -m "$1")
  programs=$(realpath -m "${2-$ROOT/build/$preset/bin}")
  (($# == 2)) || build "$preset" "${servers[@]}"
  for name in "${servers[@]}"; do
    [[ ! -e $dest/$name ]] || fail "$dest/$name exists"
    make_root "$dest/$name" "$programs/$name"
  done
  if [[ $preset == cuda ]]; then
    add_opened_libraries "$dest/windowkv-generation"
  else
    cp -r "$ROOT/deploy/models/task_classifier" "$dest/windowkv-classifier/models/"
  fi
  cp -r "$ROOT/deploy/models/demo_llama" "$dest/windowkv-generation/models/"
  # Whatever the umask, the images' user reads all of it.
  for name in "${servers[@]}"; do
    chmod -R go+rX "$dest/$name"
  done
}

main "$@"
