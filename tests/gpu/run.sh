#!/bin/bash
# Runs a test or bench that tests/gpu/pack.sh has packed, on a machine with a GPU and the same LibTorch in
# Python's torch package.
#
#   BUNDLE/run.sh PROGRAM [ARGUMENT ...]       from the repository's root, for models and goldens
#
# Exits 77 when there is no GPU here.
set -euo pipefail
bundle=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if ! nvidia-smi -L >/dev/null 2>&1; then
  echo "run: this machine has no NVIDIA GPU (nvidia-smi finds none): nothing was run" >&2
  exit 77
fi
torch=$(python3 -c 'import os, torch; print(os.path.dirname(torch.__file__)); assert torch.__version__.startswith("2.11.")') ||
  { echo "run: python3 has no torch 2.11 here" >&2; exit 1; }
packages=$(dirname "$torch")
cuda=$(find "$packages/nvidia" -maxdepth 2 -name lib -type d 2>/dev/null | paste -sd:)
export LD_LIBRARY_PATH="$torch/lib:$cuda:$bundle/lib"
export WINDOWKV_SOURCE_DIR=${WINDOWKV_SOURCE_DIR:-$PWD}
program=$1
shift
exec "$bundle/bin/$program" "$@"
