#!/bin/bash
# Fails when clang-format would change a tracked source.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
git ls-files -z '*.h' '*.cc' '*.cu' '*.cuh' | xargs -0 -n 50 -P "$(nproc)" clang-format --dry-run -Werror
echo "format: $(git ls-files '*.h' '*.cc' '*.cu' '*.cuh' | wc -l) files as clang-format writes them"
