#!/bin/bash
# Installs what is missing, builds everything and runs the tests; ends with ctest's summary, and with the
# tests within its programs that were skipped for want of test data or a GPU.
#
#   tests/run.sh [PRESET] [CTEST ARGUMENT...]     PRESET: release (default), debug, asan, tsan
#   tests/run.sh asan -R engine -E integration
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { # STEP WHAT_TO_DO
  echo "tests/run.sh: FAILED: $1" >&2
  echo "tests/run.sh: what to do: $2" >&2
  exit 1
}

preset=release
if [[ ${1-} && $1 != -* ]]; then
  preset=$1
  shift
fi

# Lets ccache know the same sources again in another folder.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

options=()
[[ $preset != tsan ]] || options=(--tsan)
deploy/install_dependencies.sh "${options[@]}" || fail "deploy/install_dependencies.sh" "follow its advice above"
cmake --preset "$preset" ||
  fail "cmake --preset $preset" "see CMake's message above; 'cmake --list-presets' names the presets"
cmake --build --preset "$preset" --parallel "$(nproc)" ||
  fail "cmake --build --preset $preset" \
    "see the first error above; one compiler process needs up to 1.5 GB of memory"

# Our tests speak to each other over loopback; a proxy of the environment must not come between.
export no_grpc_proxy=127.0.0.1
status=0
ctest --preset "$preset" --parallel "$(nproc)" "$@" || status=$?
skipped=$(grep -oP '^\[  SKIPPED \] \K\S+(?= \()' "build/$preset/Testing/Temporary/LastTest.log" | sort -u) || true
if [[ $skipped ]]; then
  echo
  echo "Skipped for want of what they need (test data, a GPU):"
  echo "${skipped//$'\n'/, }"
fi
exit "$status"
