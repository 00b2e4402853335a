#!/bin/bash
# Packs what a GPU machine needs to run tests and benches of the cuda preset: the programs, and the Debian
# libraries they load but for LibTorch's, CUDA's and the C library's, which that machine has.
#
#   tests/gpu/pack.sh OUT [PROGRAM ...]     PROGRAM: names out of build/cuda/bin and build/cuda/tests; all tests
#                                           of the engine and cuda_bench
set -euo pipefail
out=$(realpath -m "$1") # the caller's, so before cd
shift
cd "$(dirname "$0")/../.."
programs=("$@")
((${#programs[@]})) || programs=(kernels_test llama_model_test policy_decode_test engine_test cache_policies_test kv_cache_test device_failure_test cuda_bench)
rm -rf "$out"
mkdir -p "$out/bin" "$out/lib"
for program in "${programs[@]}"; do
  for folder in bin tests; do
    [[ -x build/cuda/$folder/$program ]] || continue
    objcopy --strip-debug "build/cuda/$folder/$program" "$out/bin/$program"
  done
  [[ -x $out/bin/$program ]] || { echo "pack: there is no build/cuda/{bin,tests}/$program" >&2; exit 1; }
done
# What the C and C++ runtimes, LibTorch and CUDA bring is left out.
skip='linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|resolv|gcc_s|stdc\+\+|gomp|c10|c10_cuda|torch[a-z_]*|cu[a-zA-Z]*|nccl|nv[a-zA-Z]*)\.so'
for program in "$out"/bin/*; do
  ldd "$program" | awk '$3 ~ /^\// {print $3}' | grep -Ev "/($skip)" || true
done | sort -u | while read -r library; do
  cp -L "$library" "$out/lib/"
done
cp tests/gpu/run.sh "$out/"
tar -C "$(dirname "$out")" -cJf "$out.tar.xz" "$(basename "$out")"
ls -sh "$out.tar.xz" >&2
