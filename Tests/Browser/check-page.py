#!/usr/bin/env python3
"""Shows a page of `accelerando report` in a real browser, and checks what the browser made of it.

Usage: check-page.py FILE.html SECTION [SECTION …]

The browser must find every section by its id, report no error, and paint something, light, dark, narrow and on paper.
"""
import pathlib
import re
import subprocess
import sys
import tempfile
import zlib
from html.parser import HTMLParser

BROWSER = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"]
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """The sections of a page, with how many elements each has and whether they are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.sections, self.faults = [], {}, []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "section":
            self.sections[attributes.get("id")] = 0
        elif self.sections:
            self.sections[list(self.sections)[-1]] += 1
        if tag in ("img", "svg") and not any(attributes.get(name) for name in ("alt", "aria-label", "aria-hidden")):
            self.faults.append(f"a <{tag}> without words")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")


def browse(page, *options):
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [*BROWSER, f"--user-data-dir={profile}", *options, page.resolve().as_uri()], capture_output=True, text=True, timeout=120)
    messages = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "ERR_" in line]
    if done.returncode or messages:
        sys.exit(f"{page}: the browser ended with {done.returncode}: {messages or done.stderr[-500:]}")
    return done.stdout


def pixels(image):
    """The different bytes of a PNG file's rows: of a blank page there are hardly any."""
    data, place, packed = image.read_bytes(), 8, b""
    while place < len(data):
        length, kind = int.from_bytes(data[place:place + 4], "big"), data[place + 4:place + 8]
        if kind == b"IDAT":
            packed += data[place + 8:place + 8 + length]
        place += 12 + length
    return len(set(zlib.decompress(packed)))


def main(path, *sections):
    page = pathlib.Path(path)
    source = Page()
    source.feed(page.read_text())
    if source.faults or source.open:
        sys.exit(f"{page}: {source.faults[:5]} {source.open}")
    shown = Page()
    shown.feed(browse(page, "--dump-dom"))
    for section in sections:
        if not shown.sections.get(section):
            sys.exit(f"{page}: the browser shows no section '{section}'. It shows: {shown.sections}")
    if shown.sections != source.sections:
        sys.exit(f"{page}: the browser shows {shown.sections}; the file has {source.sections}")
    with tempfile.TemporaryDirectory() as place:
        for name, *options in [
            ("light", "--window-size=1200,1600"), ("dark", "--window-size=1200,1600", "--blink-settings=preferredColorScheme=0"),
            ("narrow", "--window-size=500,1600"),
        ]:
            image = pathlib.Path(place, f"{name}.png")
            browse(page, *options, f"--screenshot={image}")
            if not image.exists() or pixels(image) < 50:
                sys.exit(f"{page}: the {name} page is blank")
        paper = pathlib.Path(place, "page.pdf")
        browse(page, f"--print-to-pdf={paper}")
        count = len(re.findall(rb"/Type\s*/Page\b", paper.read_bytes())) if paper.exists() else 0
        if count == 0:
            sys.exit(f"{page}: cannot be printed")
    print(f"{page}: {', '.join(f'{name} ({count} elements)' for name, count in shown.sections.items())}; {count} pages of paper")


main(*sys.argv[1:])
