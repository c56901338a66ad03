#!/usr/bin/env bash
# Builds the documentation of all public modules as one static site, with the toolchain's own DocC: the package needs no plugin.
#
#     Scripts/docs.sh                       # into .build/docs
#     Scripts/docs.sh site /accelerando     # into site, to be served at /accelerando
#     Scripts/docs.sh --skip-build          # from what 'swift build -c release' or 'swift test -c release' left
#     python3 -m http.server --directory .build/docs
#
# Warnings of DocC are errors. SCRATCH names another build directory than .build.
set -euo pipefail
cd "$(dirname "$0")/.."
builds=true
if [ "${1:-}" = --skip-build ]; then builds=false && shift; fi
site=${1:-.build/docs}
base=${2:-}
scratch=${SCRATCH:-.build}

# A module comes after those whose symbols it links to.
modules="AccelerandoCore AccelerandoFormats AccelerandoData AccelerandoNN AccelerandoCPU AccelerandoXLA AccelerandoMPI
  AccelerandoTrain AccelerandoCompress AccelerandoReport AccelerandoRecipes Accelerando"

docc=$(dirname "$(readlink -f "$(command -v swift)")")/docc
[ -x "$docc" ] || docc=$(xcrun --find docc 2>/dev/null || command -v docc || true)
[ -n "$docc" ] || { echo "there is no docc: it is part of Swift's toolchains" >&2 && exit 69; }

if $builds; then swift build -c release --scratch-path "$scratch"; fi
built=$(swift build -c release --scratch-path "$scratch" --show-bin-path)
target=$(swiftc -print-target-info | sed -n 's/.*"triple": "\([^"]*\)".*/\1/p' | head -1)
includes=(-I "$built/Modules" -I Sources/CZlib -I Sources/COpenSSL)
for map in "$built"/*.build/module.modulemap "$scratch"/checkouts/*/Sources/*/include/module.modulemap; do
  [ ! -e "$map" ] || includes+=(-I "$(dirname "$map")")
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
archives=()
dependencies=()
for module in $modules; do
  mkdir -p "$work/$module"
  swift symbolgraph-extract -module-name "$module" "${includes[@]}" -target "$target" -minimum-access-level public \
    -skip-inherited-docs -skip-synthesized-members -output-dir "$work/$module"
  echo "documenting $module"
  "$docc" convert "Sources/$module/$module.docc" --additional-symbol-graph-dir "$work/$module" \
    --fallback-display-name "$module" --fallback-bundle-identifier "accelerando.$module" \
    --fallback-default-module-kind Module --enable-experimental-external-link-support \
    ${dependencies[@]+"${dependencies[@]}"} --hosting-base-path "$base" --warnings-as-errors \
    --output-path "$work/$module.doccarchive"
  archives+=("$work/$module.doccarchive")
  dependencies+=(--dependency "$work/$module.doccarchive")
done

rm -rf "$site"
mkdir -p "$(dirname "$site")"
"$docc" merge "${archives[@]}" --synthesized-landing-page-name Accelerando --synthesized-landing-page-kind "Deep learning in Swift" \
  --output-path "$site"
# The site's own address shows the list of modules.
printf '<!doctype html><meta charset="utf-8"><title>Accelerando</title><meta http-equiv="refresh" content="0; url=%s/documentation/">\n' \
  "$base" >"$site/index.html"
echo "the documentation is in $site: python3 -m http.server --directory $site"
