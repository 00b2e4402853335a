#!/usr/bin/env bash
# Compares the engine, or with "classifier" as the first argument the classifier, with transformers in one
# run and prints ratios. Installs transformers (4.9 GB, with its own copy of torch) under .deps/bench the
# first time. Further arguments go to compare.py or compare_classifier.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=.deps/bench/bin/python
if ! "$python" -c 'import transformers' 2>/dev/null; then
  echo "Installing transformers and torch under .deps/bench (4.9 GB) ..." >&2
  python3 -m venv .deps/bench
  "$python" -m pip install --quiet -r tests/bench/requirements.txt
fi
cmake --preset release > /dev/null
if [[ ${1:-} == classifier ]]; then
  shift
  cmake --build --preset release --target classifier_bench >&2
  exec "$python" tests/bench/compare_classifier.py "$@"
fi
cmake --build --preset release --target engine_bench windowkv windowkv-router \
  windowkv-generation >&2
exec "$python" tests/bench/compare.py "$@"
