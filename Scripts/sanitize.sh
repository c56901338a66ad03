#!/usr/bin/env bash
# Runs the parts of the library that are in C, share memory between threads or read files (Tests/SanitizedParts) under the
# compiler's sanitizers:
#
#     Scripts/sanitize.sh address      # memory errors in Swift and C, and undefined behaviour in C
#     Scripts/sanitize.sh thread       # data races
#     Scripts/sanitize.sh              # both
#     EFFORT=10 Scripts/sanitize.sh    # ten times as many examples
set -euo pipefail
cd "$(dirname "$0")/.."

run() {
  local name=$1
  local flags=(-c release --scratch-path ".build/sanitize-$name" --product SanitizedParts --sanitize="$name")
  case $name in
    address)
      # Swift has no undefined behaviour of this kind: what overflows there traps.
      flags+=(-Xcc -fsanitize=undefined -Xcc -fno-sanitize-recover=undefined)
      # The address sanitizer sees pointers that lead elsewhere. Checked twice and optimized fully, the kernels' one large file for
      # each instruction set compiles for half an hour; like this for minutes.
      flags+=(-Xcc -fno-sanitize=alignment,bounds,object-size,null,pointer-overflow -Xcc -O1)
      # Teams of threads live as long as the process and are no leaks.
      export ASAN_OPTIONS=detect_leaks=0
      ;;
    thread) export TSAN_OPTIONS=halt_on_error=1:suppressions=$PWD/Scripts/thread-sanitizer.supp ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 64 ;;
  esac
  printf '\n== %s sanitizer\n' "$name"
  swift build "${flags[@]}"
  ".build/sanitize-$name/release/SanitizedParts" "${EFFORT:-1}"
}

if [ $# -eq 0 ]; then set -- address thread; fi
for name in "$@"; do run "$name"; done
