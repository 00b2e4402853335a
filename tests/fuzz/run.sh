#!/bin/bash
# Fuzzes: installs what is missing, builds the fuzz preset and runs each target for a while, starting
# from its seeds in tests/fuzz/corpus and from what earlier runs found in build/fuzz/corpus.
#
#   tests/fuzz/run.sh [AMOUNT] [TARGET...]     AMOUNT: seconds (60), or runs as in 1000000runs
#   tests/fuzz/run.sh 300 bpe wordpiece        without TARGET: all, one after the other
#
# Ends with 1 when a target crashes or breaks a promise, and says which input makes it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

PROGRAMS=build/fuzz/fuzzers
CORPUS=build/fuzz/corpus
CRASHES=build/fuzz/crashes

# The longest input where it is not 2048 bytes: a word of more than a hundred characters is as good as any
# longer one, and what a target does with a text takes time with each of its characters.
declare -A max_len=([wordpiece]=256)

fail() { # STEP WHAT_TO_DO
  echo "tests/fuzz/run.sh: FAILED: $1" >&2
  echo "tests/fuzz/run.sh: what to do: $2" >&2
  exit 1
}

amount=(-max_total_time=60)
if [[ ${1-} =~ ^([0-9]+)(runs)?$ ]]; then
  amount=(-max_total_time="${BASH_REMATCH[1]}")
  [[ ${BASH_REMATCH[2]} ]] && amount=(-runs="${BASH_REMATCH[1]}")
  shift
fi
mapfile -t all < <(ls tests/fuzz/corpus)
targets=("$@")
((${#targets[@]})) || targets=("${all[@]}")
for target in "${targets[@]}"; do
  [[ -d tests/fuzz/corpus/$target ]] ||
    fail "there is no target '$target'" "take some of: ${all[*]}"
done

# Lets ccache know the same sources again in another folder.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

deploy/install_dependencies.sh --fuzz ||
  fail "deploy/install_dependencies.sh --fuzz" "follow its advice above"
cmake --preset fuzz || fail "cmake --preset fuzz" "see CMake's message above"
cmake --build --preset fuzz --parallel "$(nproc)" ||
  fail "cmake --build --preset fuzz" "see the first error above"

export WINDOWKV_SOURCE_DIR=$PWD LSAN_OPTIONS=suppressions=$PWD/cmake/lsan.supp
# Targets that read files write thousands a second.
[[ -w /dev/shm ]] && export TMPDIR=/dev/shm

failed=()
for target in "${targets[@]}"; do
  mkdir -p "$CORPUS/$target" "$CRASHES/$target"
  log=$CRASHES/$target.log
  options=(-max_len="${max_len[$target]-2048}" -timeout=60 -rss_limit_mb=4096 -print_final_stats=1
    -artifact_prefix="$CRASHES/$target/")
  [[ -f tests/fuzz/dictionaries/$target.dict ]] &&
    options+=(-dict="tests/fuzz/dictionaries/$target.dict")
  # The first folder receives what is new.
  if "$PROGRAMS/$target" "${amount[@]}" "${options[@]}" \
    "$CORPUS/$target" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    rate=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
    echo "$target: $runs runs, $rate a second, nothing found"
  else
    failed+=("$target")
    tail -n 30 "$log" >&2
    input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    echo "$target: FAILED: $log; again with: $PROGRAMS/$target ${input:-(no input was written)}" >&2
  fi
done

if ((${#failed[@]})); then
  echo "tests/fuzz/run.sh: FAILED: ${failed[*]}" >&2
  exit 1
fi
