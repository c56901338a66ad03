#!/usr/bin/env bash
# Runs the tests under the compiler's sanitizers, each in a build folder of its own:
#
#     Scripts/sanitize.sh address      # memory errors in Swift and C, and undefined behaviour in C
#     Scripts/sanitize.sh thread       # data races
#     Scripts/sanitize.sh              # both
#     Scripts/sanitize.sh thread --filter SharedTrainingTests
#
# Arguments behind the name go to `swift test`. Without a filter those tests run that are about C, memory and threads; `--all`
# runs every test. A first build takes as long as any other; a run takes two to ten times as long as without a sanitizer.
set -euo pipefail
cd "$(dirname "$0")/.."

# Kernels in C, executions on teams of threads, shared batches, prefetching, mapped files, plugins' declared structs.
parts='AccelerandoCPUTests|SharedTrainingTests|BatchSharesTests|CheckpointTests|FitTests|InferenceFunctionTests|DeterminismTests|AccelerandoFormatsTests|LayoutTests|DifferentialTests'

# The allocator that counts calls steps aside for the sanitizer's own (Tests/CAllocationCounter).
run() {
  local name=$1 && shift
  local flags=(-c release --scratch-path ".build/sanitize-$name" -Xswiftc -enable-testing)
  case $name in
    address)
      # Of undefined behaviour in Swift there is none to find: what overflows there traps.
      flags+=(--sanitize=address -Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined -Xcc -fno-sanitize=vptr)
      # Pools of threads live as long as the process; leaks are looked for by the test of flat memory.
      export ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=0
      ;;
    thread)
      flags+=(--sanitize=thread)
      export TSAN_OPTIONS=halt_on_error=0:exitcode=66:suppressions=$PWD/Scripts/thread-sanitizer.supp
      ;;
    *) sed -n '2,11s/^# \{0,1\}//p' "$0" && exit 64 ;;
  esac
  local chosen=(--filter "$parts")
  for argument in "$@"; do
    case $argument in
      --all) chosen=() && set -- "${@/--all/}" ;;
      --filter*) chosen=() ;;
    esac
  done
  local rest=()
  for argument in "$@"; do [ -z "$argument" ] || rest+=("$argument"); done
  printf '\n== %s sanitizer\n' "$name"
  swift test "${flags[@]}" ${chosen[@]+"${chosen[@]}"} ${rest[@]+"${rest[@]}"}
}

case ${1:-both} in
  both | -*) for name in address thread; do run "$name" "$@"; done ;;
  *) run "$@" ;;
esac
