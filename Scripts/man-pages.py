#!/usr/bin/env python3
"""Writes the man pages of accelerando: one for the program and one for each subcommand.

Usage: man-pages.py PROGRAM DIRECTORY

The text is that of --help, which the program prints as data, so the pages cannot lag behind it. Exit codes come from
Docs/Architecture.md.
"""

import json
import os
import re
import subprocess
import sys

ARCHITECTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Docs", "Architecture.md")

ENVIRONMENT = [
    ("PJRT_NAMES_AND_LIBRARY_PATHS", "Plugins for accelerators, as name:path,name:path; they are preferred to installed ones."),
    ("XDG_CACHE_HOME", "Where plugins, compiled programs and downloaded data sets are kept: in its subdirectory accelerando, "
                       "or in ~/.cache/accelerando if the variable is not set."),
    ("XLA_FLAGS", "Flags of XLA, for devices with a plugin."),
]


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip())
    program, directory = sys.argv[1:]
    tool = json.loads(run(program, "--experimental-dump-help"))
    root = tool["command"]
    os.makedirs(directory, exist_ok=True)
    for command, parents in walk(root, []):
        name = "-".join(parents + [command["commandName"]])
        with open(os.path.join(directory, name + ".1"), "w") as file:
            file.write(page(command, parents, version(program)))


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def version(program):
    try:
        return run(program, "--version").strip().split()[-1]
    except (subprocess.CalledProcessError, IndexError):
        return ""


def walk(command, parents):
    """A command and all below it, with the names of those above; 'help' explains itself."""
    yield command, parents
    for below in command.get("subcommands", []):
        if below["commandName"] != "help" and below.get("shouldDisplay", True):
            yield from walk(below, parents + [command["commandName"]])


def page(command, parents, version):
    names = parents + [command["commandName"]]
    title = "-".join(names)
    below = [c for c in command.get("subcommands", []) if c["commandName"] != "help" and c.get("shouldDisplay", True)]
    shown = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]
    lines = [
        '.\\" Written by Scripts/man-pages.py.',
        f'.TH "{title.upper()}" 1 "" "{" ".join(["accelerando", version]).strip()}" "Accelerando"',
        ".nh", ".ad l",
        ".SH NAME", text(title) + " \\- " + text(command.get("abstract", "").rstrip(".")),
        ".SH SYNOPSIS", synopsis(names, shown, below),
    ]
    if command.get("discussion"):
        lines += [".SH DESCRIPTION"] + paragraphs(command["discussion"])
    positional = [a for a in shown if a["kind"] == "positional"]
    if positional:
        lines += [".SH ARGUMENTS"] + [line for a in positional for line in entry(f"\\fI{text(a['valueName'])}\\fR", a)]
    lines += [".SH OPTIONS"] + [line for a in shown if a["kind"] != "positional" for line in entry(flags(a), a)]
    if below:
        lines += [".SH COMMANDS"]
        for c in below:
            lines += [".TP", f"\\fB{text('-'.join(names + [c['commandName']]))}\\fR(1)", text(c.get("abstract", ""))]
    if not parents:
        lines += [".SH EXIT STATUS"] + [line for code, meaning in exit_codes() for line in (".TP", f"\\fB{code}\\fR", text(meaning))]
        lines += [".SH ENVIRONMENT"] + [line for n, m in ENVIRONMENT for line in (".TP", f"\\fB{n}\\fR", text(m))]
    else:
        lines += [".SH SEE ALSO", f"\\fB{text('-'.join(parents))}\\fR(1)"]
    return "\n".join(lines) + "\n"


def synopsis(names, shown, below):
    parts = [f"\\fB{text(' '.join(names))}\\fR"]
    if below:
        return " ".join(parts + ["\\fIcommand\\fR", "[\\fIoptions\\fR]"])
    if any(a["kind"] != "positional" for a in shown):
        parts.append("[\\fIoptions\\fR]")
    for a in shown:
        if a["kind"] == "positional":
            name = f"\\fI{text(a['valueName'])}\\fR" + (" ..." if a.get("isRepeating") else "")
            parts.append(f"[{name}]" if a.get("isOptional") else name)
        elif not a.get("isOptional") and a["kind"] == "option":
            parts.insert(1, f"{flags(a)}")
    return " ".join(parts)


def flags(argument):
    dash = {"short": "-", "long": "--", "longWithSingleDash": "-"}
    names = ", ".join(f"\\fB{text(dash[n['kind']] + n['name'])}\\fR" for n in argument["names"])
    return names if argument["kind"] == "flag" else f"{names} \\fI{text(argument['valueName'])}\\fR"


def entry(label, argument):
    words = argument.get("abstract", "")
    if argument.get("allValues"):
        words += " Values: " + ", ".join(argument["allValues"]) + "."
    if argument.get("defaultValue") and argument["kind"] != "flag":
        words += f" Default: {argument['defaultValue']}."
    return [".TP", label, text(words.strip())]


def paragraphs(discussion):
    """Prose is filled; lines that begin with blanks stay as they are."""
    lines = []
    for paragraph in re.split(r"\n\s*\n", discussion.strip("\n")):
        lines.append(".PP")
        literal = False
        for line in paragraph.split("\n"):
            if line.startswith(" ") != literal:
                literal = not literal
                lines.append(".nf" if literal else ".fi")
            lines.append(text(line))
        if literal:
            lines.append(".fi")
    return lines


def text(words):
    """Characters that troff would read as commands are escaped, and those that not every troff reads."""
    words = words.replace("\\", "\\e").replace("-", "\\-")
    words = "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in words)
    return "\\&" + words if words.startswith((".", "'")) else words


def exit_codes():
    with open(ARCHITECTURE, encoding="utf-8") as file:
        table = file.read().split("\n## Exit codes\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if re.match(r"\| \d+ \|", line)]
    return [(code, f"{meaning}: {examples.replace('`', '')}." if examples else f"{meaning}.") for code, meaning, examples in rows]


if __name__ == "__main__":
    main()
