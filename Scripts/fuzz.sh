#!/usr/bin/env bash
# Compares many random networks: the CPU engine with several threads and workers, XLA's CPU where a plugin is installed, plain
# loops in Double, and, where PYTHON names one with Keras and JAX, Keras in float64.
#
#     Scripts/fuzz.sh [--cases 200] [--seed 0]
#     PYTHON=venv/bin/python Scripts/fuzz.sh --cases 50
#
# A failure prints the seed and the network; FUZZ_CASES=1 FUZZ_SEED=that repeats it.
set -euo pipefail
cd "$(dirname "$0")/.."
cases=200
seed=0
while [ $# -gt 0 ]; do
  case $1 in
    --cases) cases=$2 && shift 2 ;;
    --seed) seed=$2 && shift 2 ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0" && exit 64 ;;
  esac
done
export FUZZ_CASES=$cases FUZZ_SEED=$seed
if [ -n "${PYTHON:-}" ]; then
  FUZZ_DUMP=$(mktemp -d)
  export FUZZ_DUMP
  trap 'rm -rf "$FUZZ_DUMP"' EXIT
fi
swift test -c release --filter AccelerandoFuzzTests
[ -z "${PYTHON:-}" ] || "$PYTHON" Scripts/fuzz_keras.py "$FUZZ_DUMP"
