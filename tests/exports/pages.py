"""The report as readers see it: in a headless Chromium, on a screen and on paper, light and dark; and set by Typst.

`SHOTS` in the environment names a folder where the pictures and PDFs are left to be looked at.
"""

import json
import os
import re
import struct
import unicodedata
import zlib
from pathlib import Path

import typst

import browser

# One picture a part of the page: its top, where the waterfalls begin, and its end.
PARTS = {"top": "0", "why": "[...document.querySelectorAll('h3')].filter(h => h.textContent.startsWith('Why'))[0]?.getBoundingClientRect().top + scrollY || 0",
         "end": "document.documentElement.scrollHeight - innerHeight"}
# Scripts, links that lead out, and what is loaded from elsewhere.
ALIVE = """(() => { const bad = []; for (const one of document.querySelectorAll('*')) {
    const name = one.localName;
    if (['script', 'iframe', 'object', 'embed', 'img', 'link', 'form', 'base', 'image', 'use', 'foreignObject', 'animate', 'set'].includes(name)) bad.push(name);
    for (const at of one.attributes) if (/^on|^srcset$|^src$|^xlink:href$/.test(at.name) || (at.name === 'href' && !at.value.startsWith('#'))) bad.push(name + ' ' + at.name);
  } return bad; })()"""
# What is wider than the page it stands in, but for what may be scrolled.
WIDER = """[...document.querySelectorAll('body *')].filter(one => !one.closest('.wide, svg') && one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.localName + ' ' + one.textContent.slice(0, 60)).slice(0, 5)"""
# Where the paper ends nothing can be scrolled.
CUT = """[...document.querySelectorAll('td, th, p, li, dd, summary')].filter(one => one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => one.localName + ' ' + one.textContent.slice(0, 60)).slice(0, 5)"""


def check_pages(tally, hostkin, case, window, most_bytes, most_seconds):
    """The page, its pictures and its PDF; then the Typst source."""
    folder = Path(os.environ.get("SHOTS") or case.path.parent / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{case.name}.html"
    page.unlink(missing_ok=True)
    hostkin.run("export", case.path, "report", "-o", page)
    tally.check("report: its size", page.stat().st_size <= most_bytes, True)
    tally.check("report: moves no cursor and reorders nothing", treacherous(page.read_bytes()), [])
    for dark in (False, True):
        window.look(browser.DESKTOP, dark=dark)
        seconds = window.open(page)
        name = "dark" if dark else "light"
        tally.check(f"report, {name}: opens in time", seconds < most_seconds)
        tally.check(f"report, {name}: nothing is asked of anybody", window.asked_for(), [])
        tally.check(f"report, {name}: the console is silent", window.said(), [])
        tally.check(f"report, {name}: nothing lives in it", window.ask(ALIVE), [])
        tally.check(f"report, {name}: nothing is wider than the page", window.ask(WIDER), [])
        tally.check(f"report, {name}: the marking", "TLP:AMBER" in window.ask("document.body.innerText"))
        for part, at in PARTS.items():
            if part == "top" or not dark:
                shot = window.picture(window.ask(f"({at})") or 0)
                (folder / f"{case.name}-{name}-{part}.png").write_bytes(shot)
                tally.check(f"report, {name}, {part}: there is something to see", inked(shot))
    # A telephone.
    window.look((390, 800))
    tally.check("report, narrow: nothing is wider than the page", window.ask(WIDER), [])
    (folder / f"{case.name}-narrow.png").write_bytes(window.picture(0, (390, 800)))
    window.look((browser.PAPER[0] - 98, browser.PAPER[1]), dark=True, paper=True)
    tally.check("report, paper: nothing is cut off", window.ask(CUT), [])
    (folder / f"{case.name}-paper.png").write_bytes(window.picture(0, (browser.PAPER[0] - 98, browser.PAPER[1])))
    pdf = window.pdf()
    (folder / f"{case.name}.pdf").write_bytes(pdf)
    tally.check("report, paper: a PDF", pdf[:5] == b"%PDF-" and len(pdf) > 10_000)
    window.look(browser.DESKTOP)
    return page.stat().st_size, seconds


def check_typst(tally, hostkin, case):
    """The source compiles, and strangers' text stays text."""
    folder = Path(os.environ.get("SHOTS") or case.path.parent / "shots")
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{case.name}.typ"
    source.unlink(missing_ok=True)
    hostkin.run("export", case.path, "typst", "-o", source)
    tally.check("typst: moves no cursor and reorders nothing", treacherous(source.read_bytes()), [])
    try:
        pdf = typst.compile(str(source), root=str(folder), sys_inputs={})
    except typst.TypstError as error:
        tally.check("typst: compiles", str(error)[:500], "")
        return
    (folder / f"{case.name}-typst.pdf").write_bytes(pdf)
    if "SHOTS" in os.environ:
        for number, page in enumerate(typst.compile(str(source), root=str(folder), format="png", ppi=80)[:6], 1):
            (folder / f"{case.name}-typst-{number}.png").write_bytes(page)
    tally.check("typst: a PDF", pdf[:5] == b"%PDF-" and len(pdf) > 10_000)


def treacherous(data):
    bad = {c for c in data.decode() if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf")}
    return sorted(f"U+{ord(c):04X}" for c in bad)


def inked(png):
    """True when a picture has more than one colour: its pixels do not press to nothing."""
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        data += png[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return len(set(zlib.decompress(data)[::97])) > 2
