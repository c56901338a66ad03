#!/usr/bin/env bash
# Everything that is to be known of a machine with an NVIDIA GPU, in one go: whether the numbers are right there, which of
# NVIDIA's libraries the compiled steps call, and how long they take beside JAX and PyTorch. No network is needed: the program
# is built elsewhere and travels,
#
#     swift build -c release --static-swift-stdlib --product accelerando
#
# and on the machine there are the CUDA plugin (JAX's wheels will do), PyTorch and JAX.
#
#     Benchmarks/gpu.sh --program accelerando --python python3 --data FASHION_MNIST --out results
#
# --dry runs all of it in little on this machine's processor (--device xla-cpu, PyTorch and JAX on the CPU), to see that it works.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

program=$here/../.build/release/accelerando
python=python3
data=
out=gpu-results
device=cuda
dry=()
while [ $# -gt 0 ]; do
  case $1 in
    --program) program=$2 && shift 2 ;;
    --python) python=$2 && shift 2 ;;
    --data) data=$2 && shift 2 ;;
    --out) out=$2 && shift 2 ;;
    --dry) device=xla-cpu && dry=(--dry) && shift ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" && exit 64 ;;
  esac
done
[ -n "$data" ] || { echo "--data needs the directory with the files of Fashion-MNIST" >&2 && exit 64; }
[ -x "$program" ] || { echo "there is no program $program: build it, or name it with --program" >&2 && exit 66; }
mkdir -p "$out"
# The plugin that came with this Python's JAX is found there.
VIRTUAL_ENV=${VIRTUAL_ENV:-$("$python" -c 'import sys; print(sys.prefix)')}
export VIRTUAL_ENV
# A cache of its own: compiled programs that were there before would leave no trace of what they call. The plugins that were
# installed for this user stay where they are and are found from there too.
plugins=${XDG_CACHE_HOME:-$HOME/.cache}/accelerando/plugins
XDG_CACHE_HOME=$(mktemp -d)
export XDG_CACHE_HOME
trap 'rm -rf "$XDG_CACHE_HOME"' EXIT
mkdir "$XDG_CACHE_HOME/accelerando"
[ ! -d "$plugins" ] || ln -s "$(cd "$plugins" && pwd)" "$XDG_CACHE_HOME/accelerando/plugins"

echo "== machine"
date -u
nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm --format=csv,noheader 2>/dev/null || echo "no nvidia-smi"
"$program" devices | tee "$out/devices.txt"

"$python" "$here/gpu.py" --program "$program" --device "$device" --data "$data" --out "$out" ${dry[@]+"${dry[@]}"}
