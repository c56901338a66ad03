#!/usr/bin/env bash
# Kills a training at every system call by which it saves its model, one run for each, and checks that a whole model is there afterwards and that
# the next run leaves nothing half written behind. Needs strace. Usage: Tests/Kill/kill-every-save.sh [path of accelerando]
set -uo pipefail
program=$(realpath "${1:-.build/release/accelerando}")
command -v strace >/dev/null || { echo "strace is needed: apt-get install strace"; exit 69; }
cd "$(mktemp -d)"
cat > own.yaml <<'YAML'
data: {name: fashion-mnist-sample}
layers: [Flatten, Dense: {units: 4, activation: softmax}, Dense: {units: 10, activation: softmax}]
compile: {optimizer: adam, loss: sparse_categorical_crossentropy}
YAML
train=("$program" train own.yaml --limit 32 --epochs 1 --output run)
"${train[@]}" >/dev/null 2>&1 || { echo "the training itself fails"; exit 1; }
kills=0 failures=0
for call in mkdir rename renameat2 fsync fchmod chmod unlink unlinkat rmdir flock; do
  for ((number = 1; number < 400; number++)); do
    (
      strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$number "${train[@]}"
      exit $?
    ) >/dev/null 2>&1
    [ $? = 137 ] || break
    kills=$((kills + 1))
    "$program" evaluate run --limit 32 >/dev/null 2>err || {
      failures=$((failures + 1))
      echo "killed at $call $number: $(cat err)"
    }
  done
done
"${train[@]}" >/dev/null 2>&1
left=$(ls -A run run/model run/checkpoints | grep -E '\.(partial|old)$')
[ -z "$left" ] || { echo "left behind: $left"; failures=$((failures + 1)); }
echo "$kills kills, $failures failures"
[ "$failures" = 0 ]
