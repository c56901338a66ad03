#!/bin/sh
# Gives every reader of files many damaged inputs, where the tests that always run give it 2,000: a reader may refuse them, but it
# may not trap, hang or take all memory.
#
#   Scripts/mutations.sh [inputs for each reader, 100000 by default]
#
# The limits turn a reader that hangs, or asks for more memory than it should, into a failure.
set -eu
cd "$(dirname "$0")/.."
export ACCELERANDO_MUTATIONS="${1:-100000}"
swift build -c release --build-tests -Xswiftc -enable-testing
ulimit -v 16000000
exec timeout "${TIME_LIMIT:-7200}" swift test -c release --skip-build --filter 'NeverTrap'
