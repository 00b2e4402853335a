#!/usr/bin/env bash
# Compares the engine with transformers in one run and prints ratios. Installs transformers (4.9 GB, with
# its own copy of torch) under .deps/bench the first time. Arguments go to compare.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.deps/bench/bin/python
if ! "$python" -c 'import transformers' 2>/dev/null; then
  echo "Installing transformers and torch under .deps/bench (4.9 GB) ..." >&2
  python3 -m venv .deps/bench
  "$python" -m pip install --quiet -r tests/bench/requirements.txt
fi
cmake --preset release > /dev/null
cmake --build --preset release --target engine_bench windowkv windowkv-router \
  windowkv-generation >&2
exec "$python" tests/bench/compare.py "$@"
