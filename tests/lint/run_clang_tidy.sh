#!/bin/bash
# clang-tidy over the sources that changed since BASE, uncommitted changes and new files included. A
# changed header is checked through the source beside it.
#
#   tests/lint/run_clang_tidy.sh [BASE]     BASE: a commit, or --all for every source
#
# Without BASE: where this branch left origin/main; on main itself, the commit before. Needs a
# configured build/release. The number of files is limited, so that a large change does not hold up
# the checks; what is left out is said, and --all has no limit. What that build does not compile is
# named and not checked.
set -euo pipefail

BUILD=build/release
LIMIT=40

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
cd "$(pwd -P)" # as compile_commands.json names the sources

base_commit() {
  local head merge_base
  head=$(git rev-parse HEAD)
  merge_base=$(git merge-base HEAD origin/main 2>/dev/null || true)
  if [[ $merge_base && $merge_base != "$head" ]]; then
    echo "$merge_base"
  else
    # The empty tree stands before a first commit, and where a shallow clone ends.
    git rev-parse --verify --quiet HEAD~1 || git hash-object -t tree /dev/null
  fi
}

changed_files() { # BASE
  if [[ $1 == --all ]]; then
    git ls-files --cached --others --exclude-standard '*.cc'
  else
    git diff --name-only --diff-filter=d "$1" -- '*.cc' '*.h' &&
      git ls-files --others --exclude-standard '*.cc' '*.h'
  fi
}

if [[ ! -f $BUILD/compile_commands.json ]]; then
  echo "clang-tidy: $BUILD/compile_commands.json is missing: run cmake --preset release" >&2
  exit 1
fi

base=${1:-$(base_commit)}
# By itself, so that its failure is the script's.
files=$(changed_files "$base" | sed 's/\.h$/.cc/' | sort -u)
compiled=() unknown=()
for file in $files; do
  if grep -qF "\"file\": \"$PWD/$file\"" "$BUILD/compile_commands.json"; then
    compiled+=("$file")
  elif [[ -e $file ]]; then
    unknown+=("$file")
  else
    unknown+=("${file%.cc}.h")
  fi
done
if ((${#unknown[@]})); then
  echo "clang-tidy: not compiled by $BUILD, not checked: ${unknown[*]}"
fi
if ((${#compiled[@]} == 0)); then
  echo "clang-tidy: no compiled source changed since $base"
  exit 0
fi

checked=("${compiled[@]}")
if [[ $base != --all ]] && ((${#compiled[@]} > LIMIT)); then
  checked=("${compiled[@]:0:LIMIT}")
  echo "clang-tidy: ${#compiled[@]} sources changed since $base, checking the first $LIMIT"
fi
# The count of warnings in system headers, which clang-tidy prints even when quiet, is left out.
printf '%s\0' "${checked[@]}" |
  xargs -0 -n 1 -P "$(nproc)" clang-tidy -p "$BUILD" --quiet \
    --extra-arg=-Wno-unknown-warning-option 2> >(grep -v ' warnings* generated\.$' >&2)
echo "clang-tidy: ${#checked[@]} sources pass"
