#!/usr/bin/env bash
# Builds accelerando and installs it with shell completions and man pages, under ~/.local or PREFIX:
#
#     Scripts/install.sh
#     PREFIX=/usr/local Scripts/install.sh
#     Scripts/install.sh --static       # the program does not need the Swift toolchain's libraries to run (Linux)
#     Scripts/install.sh --uninstall
#
# DESTDIR is put before every path, as packagers expect. Building needs Swift 6; the man pages need python3.
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${PREFIX:-${HOME:?HOME is not set: name a directory with PREFIX}/.local}
root=${DESTDIR:-}$prefix
bin=$root/bin
man=$root/share/man/man1
bash_completion=$root/share/bash-completion/completions/accelerando
zsh_completion=$root/share/zsh/site-functions/_accelerando
fish_completion=$root/share/fish/vendor_completions.d/accelerando.fish

build=(swift build -c release --product accelerando)
case ${1:-} in
  "") ;;
  # Another directory, so that neither build has to be done again because of the other.
  --static) build+=(--static-swift-stdlib --scratch-path .build-static) ;;
  --uninstall)
    rm -f "$bin/accelerando" "$bash_completion" "$zsh_completion" "$fish_completion" "$man"/accelerando.1 "$man"/accelerando-*.1
    echo "removed from $prefix"
    exit 0
    ;;
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2 && exit 64 ;;
esac

"${build[@]}"
program=$("${build[@]}" --show-bin-path)/accelerando

install -d "$bin" "$man" "$(dirname "$bash_completion")" "$(dirname "$zsh_completion")" "$(dirname "$fish_completion")"
install -m 755 "$program" "$bin/accelerando"
"$program" --generate-completion-script bash >"$bash_completion"
"$program" --generate-completion-script zsh >"$zsh_completion"
"$program" --generate-completion-script fish >"$fish_completion"
if command -v python3 >/dev/null; then
  python3 Scripts/man-pages.py "$program" "$man"
else
  echo "no man pages: they need python3" >&2
fi

echo "installed $bin/accelerando, with completions for bash, zsh and fish, and man pages"
case :$PATH: in
  *:"$prefix/bin":*) ;;
  *) echo "add it to your PATH: export PATH=\"$prefix/bin:\$PATH\"" ;;
esac
case $prefix in
  /usr | /usr/local) ;;
  *) echo "for zsh, before compinit in ~/.zshrc: fpath=($prefix/share/zsh/site-functions \$fpath)" ;;
esac
