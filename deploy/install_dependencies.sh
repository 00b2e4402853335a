#!/bin/bash
# Installs what the build needs and this machine lacks: Debian packages through apt-get, and, into
# .deps/ of this checkout, LibTorch's CPU part, the googleapis protos and the checks' tools from Python
# wheels.
# On a machine that has everything it changes nothing and needs no network.
#
#   deploy/install_dependencies.sh [--checks] [--tsan] [--fuzz] [--cuda] [--cuda-runtime] [--dashboard]
#
# --checks: also what the checks in .ci/run need; --tsan: also the OpenMP runtime on which the tsan preset
# runs parallel regions; --fuzz: also what tests/fuzz/run.sh needs; --cuda: also what the cuda preset
# needs, which is no GPU: NVIDIA's compiler and LibTorch's CUDA part; --cuda-runtime: also
# the libraries that LibTorch's CUDA part loads where a program of that preset runs; --dashboard: also what
# deploy/quickstart.sh --dashboard needs. Debian's prometheus comes with a service of its own, which we do
# not use: 'systemctl disable --now prometheus' where it starts.
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
DEPS=$ROOT/.deps

TORCH=2.11.0
CUDA_RUNTIME=13.0.96
CUPTI=13.0.85
GOOGLEAPIS=1.70.0
NVCC=13.0.88
CCCL=13.0.85
# As the torch wheel asks for them.
CUDNN=9.19.0.56
CUDA_LIBRARIES=(
  nvidia-cudnn-cu13=="$CUDNN" nvidia-cublas==13.1.0.3 nvidia-cuda-nvrtc==13.0.88 nvidia-cufft==12.0.0.61
  nvidia-cufile==1.15.1.6 nvidia-curand==10.4.0.35 nvidia-cusparse==12.6.3.3 nvidia-nvjitlink==13.0.88
  nvidia-cusparselt-cu13==0.8.0 nvidia-nccl-cu13==2.28.9 nvidia-nvshmem-cu13==3.4.5)

PACKAGES=(
  g++ cmake ninja-build ccache pkg-config git ca-certificates python3
  libgrpc++-dev libgrpc-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev
  libabsl-dev libspdlog-dev libfmt-dev prometheus-cpp-dev nlohmann-json3-dev libcli11-dev
  libcpp-httplib-dev libpcre2-dev libutf8proc-dev libgtest-dev libgmock-dev)
CHECK_PACKAGES=(clang-format clang-tidy prometheus)
# Ubuntu has it as a snap alone; the test that needs it is skipped there.
[[ $(. /etc/os-release && echo "$ID") == ubuntu ]] || CHECK_PACKAGES+=(chromium)
DASHBOARD_PACKAGES=(prometheus)
TSAN_PACKAGES=(libomp-dev)
FUZZ_PACKAGES=(clang libclang-rt-dev llvm)
KUBERNETES_WHEELS=$ROOT/tests/kubernetes/requirements.txt

say() { echo "install_dependencies: $*"; }

fail() {
  echo "install_dependencies: FAILED: $1" >&2
  echo "install_dependencies: what to do: $2" >&2
  exit 1
}

check_system() {
  local machine
  machine=$(uname -m)
  [[ $machine == x86_64 ]] ||
    fail "this machine is $machine" "use an x86_64 machine: the LibTorch build is for that alone"
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "apt-get and dpkg-query are missing" "use Debian 12 or Ubuntu 24.04"
  local ID='' VERSION_ID=''
  . /etc/os-release
  case $ID-$VERSION_ID in
    debian-12 | ubuntu-24.04) ;;
    *) say "note: this is $ID $VERSION_ID; tried are Debian 12 and Ubuntu 24.04" ;;
  esac
}

# The packages among $@ that are not installed, one a line.
missing_packages() {
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
      sed -n 's/^installed //p' | sort -u)
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "these Debian packages are missing and there is no sudo: ${missing[*]}" \
        "run this as root, or have them installed"
    as_root=(sudo)
  fi
  say "about to install ${#missing[@]} Debian packages with apt-get: ${missing[*]}"
  "${as_root[@]}" apt-get update -qq ||
    fail "apt-get update" "see apt-get's message above; check the network and the apt sources"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "apt-get install" "see apt-get's message above; on Ubuntu the universe component is needed"
}

has_wheel() { # NAME VERSION FOLDER
  [[ -d $DEPS/$3/$1-$2.dist-info ]]
}

has_libtorch() {
  [[ -f $DEPS/libtorch/torch/lib/libtorch_cpu.so ]] && has_wheel torch $TORCH libtorch
}

has_googleapis() {
  [[ -f $DEPS/googleapis/google/rpc/error_details.proto ]] &&
    has_wheel googleapis_common_protos $GOOGLEAPIS googleapis
}

has_cuda() {
  [[ -x $DEPS/cuda/bin/nvcc && -f $DEPS/cuda/torch/libtorch_cuda.so ]] &&
    has_wheel nvidia_cuda_nvcc $NVCC cuda && has_wheel torch $TORCH cuda
}

has_cuda_runtime() {
  [[ -f $DEPS/cuda_runtime/libtorch_nvshmem.so ]] && has_wheel nvidia_cudnn_cu13 $CUDNN cuda_runtime
}

has_kubernetes_checks() {
  cmp -s "$KUBERNETES_WHEELS" "$DEPS/kubernetes_checks/requirements.txt"
}

# The Python that runs pip: the one in PATH, else the system's.
python_with_pip() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -m pip --version >/dev/null 2>&1; then
      echo "$python"
      return
    fi
  done
  return 1
}

# Installs wheels into a folder of their own; nothing of the system's Python is touched.
pip_into() { # FOLDER REQUIREMENT...
  local folder=$1 python
  shift
  python=$(python_with_pip) || fail "no python3 has pip" "install the package python3-pip"
  mkdir "$folder.tmp"
  TMPDIR=$folder.tmp "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-cache-dir \
    --no-compile --no-deps --only-binary=:all: --target "$folder" "$@" ||
    fail "pip install $*" \
      "see pip's message above; it needs the network, 3 GB of disk for a moment and Python 3.10-3.14"
}

# Puts the finished folder $1 in the place of $2.
put_in_place() {
  rm -rf "$2"
  mv "$1" "$2"
}

install_libtorch() { # WORK
  say "about to download LibTorch $TORCH from the Python wheel 'torch' (0.6 GB) into .deps/libtorch"
  local whole=$1/whole part=$1/part
  pip_into "$whole" torch==$TORCH nvidia-cuda-runtime==$CUDA_RUNTIME nvidia-cuda-cupti==$CUPTI
  # What the build compiles and links against, and what libtorch_cpu.so itself loads. The CUDA
  # libraries and the Python package stay behind.
  mkdir -p "$part/torch/lib" "$part/nvidia/cu13/lib"
  mv "$whole/torch/include" "$part/torch/" &&
    mv "$whole"/torch/lib/{libtorch_cpu.so,libc10.so,libgomp.so.1} "$part/torch/lib/" &&
    mv "$whole"/nvidia/cu13/lib/{libcudart.so.13,libcupti.so.13} "$part/nvidia/cu13/lib/" &&
    mv "$whole"/*.dist-info "$part/" ||
    fail "the torch wheel does not hold what was expected" "report the version: torch==$TORCH"
  put_in_place "$part" "$DEPS/libtorch"
}

install_googleapis() { # WORK
  say "about to download the wheel googleapis-common-protos $GOOGLEAPIS into .deps/googleapis"
  pip_into "$1/googleapis" googleapis-common-protos==$GOOGLEAPIS
  put_in_place "$1/googleapis" "$DEPS/googleapis"
}

install_cuda() { # WORK
  say "about to download NVIDIA's compiler $NVCC and LibTorch's CUDA part as Python wheels (0.7 GB) into .deps/cuda"
  local whole=$1/cuda_whole part=$1/cuda
  pip_into "$whole" torch==$TORCH nvidia-cuda-nvcc==$NVCC nvidia-cuda-crt==$NVCC nvidia-nvvm==$NVCC \
    nvidia-cuda-runtime==$CUDA_RUNTIME nvidia-cuda-cccl==$CCCL
  mkdir -p "$part/torch"
  mv "$whole"/torch/lib/{libtorch_cuda.so,libc10_cuda.so} "$part/torch/" &&
    mv "$whole"/nvidia/cu13/{bin,include,nvvm,lib} "$part/" &&
    mv "$whole"/*.dist-info "$part/" ||
    fail "the CUDA wheels do not hold what was expected" "report the version: nvidia-cuda-nvcc==$NVCC"
  # As an installed toolkit has them.
  ln -s lib "$part/lib64"
  ln -s libcudart.so.13 "$part/lib/libcudart.so"
  chmod +x "$part"/bin/* "$part/nvvm/bin/cicc"
  put_in_place "$part" "$DEPS/cuda"
}

install_cuda_runtime() { # WORK
  say "about to download what LibTorch's CUDA part loads as Python wheels (2 GB) into .deps/cuda_runtime"
  local whole=$1/cuda_runtime_whole part=$1/cuda_runtime
  pip_into "$whole" torch==$TORCH "${CUDA_LIBRARIES[@]}"
  mkdir "$part"
  find "$whole/nvidia" -name '*.so*' -exec mv -t "$part" {} + &&
    mv "$whole/torch/lib/libtorch_nvshmem.so" "$whole"/*.dist-info "$part/" ||
    fail "the CUDA wheels do not hold what was expected" "report the version: torch==$TORCH"
  put_in_place "$part" "$DEPS/cuda_runtime"
}

install_kubernetes_checks() { # WORK
  say "about to download what tests/kubernetes needs (80 MB of wheels) into .deps/kubernetes_checks"
  pip_into "$1/kubernetes_checks" --requirement "$KUBERNETES_WHEELS"
  cp "$KUBERNETES_WHEELS" "$1/kubernetes_checks/"
  put_in_place "$1/kubernetes_checks" "$DEPS/kubernetes_checks"
}

main() {
  local wanted=("${PACKAGES[@]}") folders=(libtorch googleapis) missing=() argument folder
  for argument in "$@"; do
    case $argument in
      --checks)
        wanted+=("${CHECK_PACKAGES[@]}")
        folders+=(kubernetes_checks)
        ;;
      --tsan) wanted+=("${TSAN_PACKAGES[@]}") ;;
      --fuzz) wanted+=("${FUZZ_PACKAGES[@]}") ;;
      --cuda) folders+=(cuda) ;;
      --cuda-runtime) folders+=(cuda_runtime) ;;
      --dashboard) wanted+=("${DASHBOARD_PACKAGES[@]}") ;;
      *) fail "unknown argument '$argument'" "there are --checks, --tsan, --fuzz, --cuda, --cuda-runtime and --dashboard" ;;
    esac
  done
  check_system
  for folder in "${folders[@]}"; do
    "has_$folder" || missing+=("$folder")
  done
  if ((${#missing[@]})) && ! python_with_pip >/dev/null; then
    wanted+=(python3-pip)
  fi
  install_packages "${wanted[@]}"
  ((${#missing[@]})) || return 0

  mkdir -p "$DEPS"
  # Beside the final place, so that the last step is a rename and an interrupted run leaves no half.
  WORK=$(mktemp -d "$DEPS/installing.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  for folder in "${missing[@]}"; do
    "install_$folder" "$WORK"
  done
  say "done"
}

main "$@"
