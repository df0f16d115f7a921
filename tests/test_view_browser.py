"""The browser of run folders in a headless Chromium: keys, filters, hostile texts, and how soon a large run can be walked."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from browser import BROWSER, browsing
from conftest import ROOT
from made_run import HOSTILE, PERFECT, SPLIT, add_matrix, add_rollouts, add_split, mistaken, world

from rl_align.cli import main
from rl_align.data.items import write_items
from rl_align.pictograms import teacher

pytestmark = [pytest.mark.browser, pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")]

CHOSEN = "document.querySelector('.row[aria-selected=true] .name').textContent"
SHOWN = "document.querySelector('#detail h2')?.textContent"
COUNT = "document.getElementById('count').textContent"
READY = "Number(document.documentElement.dataset.ready)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three columns of answers, one of them hostile, a matrix, and a little training."""
    folder = tmp_path_factory.mktemp("runs") / "made"
    items, train = world(40, SPLIT), world(12)
    items[5] = replace(items[5], prompt=HOSTILE.replace("\ud800", ""), category="<img src=x onerror=window.hacked=3>")
    models = {"base": mistaken, "sft": lambda item: HOSTILE, "grpo": lambda item: teacher.transcript(item, PERFECT)}
    add_split(folder, SPLIT, items, models)
    add_matrix(folder, SPLIT, items[:4])
    write_items(folder / "data" / "train.parquet", train)
    add_rollouts(folder, train, steps=3, groups=3)
    return folder


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, "-m", "rl_align.cli", "view", str(folder), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert "http://127.0.0.1:" in line
        yield line.split()[1]
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


def test_keys_walk_the_list_and_the_address_keeps_the_place(folder, tmp_path):
    async def walk(address: str) -> None:
        async with browsing(tmp_path / "browser") as tab:
            await tab.open(address)
            await tab.wait(READY)
            ids = [f"{SPLIT}-{k:05d}" for k in range(40)]
            await tab.wait(f"{SHOWN} == '{ids[0]}'")
            await tab.press("j", "j", "j", "k")
            await tab.wait(f"{SHOWN} == '{ids[2]}'")
            assert await tab.value(CHOSEN) == ids[2] and f"row={ids[2]}" in await tab.value("location.hash")
            await tab.press("G")
            await tab.wait(f"{SHOWN} == '{ids[39]}'")
            assert await tab.value(
                "document.querySelector('.row[aria-selected=true]').getBoundingClientRect().bottom < innerHeight"
            )
            await tab.press("g")
            await tab.wait(f"{SHOWN} == '{ids[0]}'")
            columns = "[...document.querySelectorAll('.cell.head h3')].map(h => h.lastChild.textContent).join()"
            assert await tab.value(columns) == "base,sft,grpo,target behind none"
            await tab.press("2", "4", "5")
            await tab.wait(f"{columns} == 'base,grpo,target behind sft'")
            assert await tab.value("document.querySelectorAll('.cell.rewrite').length") == 3
            await tab.press("t")
            await tab.wait("document.querySelectorAll('.cell.think details[open]').length >= 2")
            await tab.press("f")
            await tab.wait("getComputedStyle(document.getElementById('filters')).display == 'none'")
            await tab.press("f")
            assert await tab.value("document.activeElement.className") == "choice"
            await tab.press("/", *ids[17], "Enter")
            await tab.wait(f"{SHOWN} == '{ids[17]}'")
            assert await tab.value(COUNT) == "1 of 1 items, 40 in all"
            await tab.press("?")
            await tab.wait("document.getElementById('help').open")
            await tab.press("Escape", "x")
            await tab.wait(f"{COUNT} == '18 of 40 items'")
            await tab.press("/", "j", "j", "Escape")
            assert await tab.value("document.getElementById('search').value") == "jj", "letters that are typed move nothing"
            await tab.press("x", "g", "j")
            await tab.wait(f"{SHOWN} == '{ids[1]}'")
            address = await tab.value("location.href")
            await tab.open("about:blank")
            await tab.open(address)
            await tab.wait(f"{SHOWN} == '{ids[1]}' && {columns} == 'base,grpo,target behind sft'")
            assert await tab.value("document.querySelectorAll('.cell.think details[open]').length") >= 2
            await tab.press("]")
            await tab.wait(f"{COUNT} == '1 of 9 groups'")
            await tab.wait("document.querySelectorAll('.cell.reward').length == 8")
            assert tab.complaints == []

    with served(folder) as address:
        asyncio.run(walk(address))


def test_filters_leave_what_their_counts_promise(folder, tmp_path):
    """Lock: the number beside a value is the number of rows that choosing it leaves, alone and beside a value of another facet."""
    walk = """(() => {
        const broken = [];
        const choices = () => [...document.querySelectorAll('button.choice:not(:disabled)')];
        const facet = (choice) => choice.closest('fieldset').querySelector('legend').textContent;
        const name = (choice) => facet(choice) + ': ' + choice.firstChild.textContent;
        const named = (wanted) => choices().find((choice) => name(choice) === wanted);
        const clear = () => document.querySelector('.filters-head button').click();
        const left = () => Number(document.getElementById('count').textContent.match(/(\\d+) (?:items|groups)/)[1]);
        function check(wanted, beside) {
            const promised = Number(named(wanted).lastChild.textContent);
            named(wanted).click();
            if (left() !== promised) broken.push([wanted, beside, promised, left()]);
            named(wanted).click();
        }
        const all = choices().map(name);
        for (const wanted of all) check(wanted, null);
        for (const beside of [all[1], all[4], all[9]]) {
            named(beside).click();
            const own = facet(named(beside));
            for (const wanted of choices().filter((choice) => facet(choice) !== own).map(name)) check(wanted, beside);
            clear();
        }
        return JSON.stringify([broken, all.length]);
    })()"""

    async def look(address: str) -> None:
        async with browsing(tmp_path / "browser") as tab:
            for hash in ("", "#list=rollouts/grpo"):
                await tab.open("about:blank")
                await tab.open(address + hash)
                await tab.wait(READY)
                told = await tab.value(walk)
                assert told.startswith("[[],") and int(told[4:-1]) > 15, told

    with served(folder) as address:
        asyncio.run(look(address))


def test_hostile_texts_run_nothing_and_stay_texts(folder, tmp_path):
    """Lock: served, and as one file; nothing is asked of anybody else, and no policy has to stop anything."""
    out = tmp_path / "page.html"
    assert main(["view", str(folder), "--out", str(out)]) == 0

    async def look(address: str) -> None:
        async with browsing(tmp_path / f"browser-{len(address)}") as tab:
            attack = "text=<img src=x onerror=window.hacked=2>&show=<svg onload=window.hacked=5>&only.outcome=<b>&sort=constructor"
            await tab.open(f"{address}#row={SPLIT}-00005&raw=1&think=1&{attack}")
            await tab.wait(READY)
            await tab.press("x")
            await tab.wait(f"{SHOWN} == '{SPLIT}-00005'")
            for key in "jkrtjk":
                await tab.press(key)
                await asyncio.sleep(0.1)
            assert await tab.value("typeof window.hacked") == "undefined"
            ours = "[...document.images].every(i => /^(http:..127.0.0.1:\\d+.picture.|data:image.png)/.test(i.src))"
            assert await tab.value(ours) and await tab.value("document.images.length") >= 1
            assert await tab.value("document.scripts.length") == (2 if address.startswith("file") else 1)
            text = await tab.value("document.getElementById('detail').textContent")
            assert "<script>window.hacked=1</script>" in text and "U+202E" in text and "\u202e" not in text
            assert "<img src=x onerror=window.hacked=3>" in await tab.value("document.getElementById('filters').textContent")
            page = address.partition("#")[0]
            assert all(r.startswith(("data:", page)) or r == "about:blank" for r in tab.requests), tab.requests
            assert tab.complaints == []

    with served(folder) as address:
        asyncio.run(look(address))
    asyncio.run(look(out.resolve().as_uri()))


def test_the_page_fits_a_desk_and_a_phone(folder, tmp_path):
    async def look(address: str) -> None:
        async with browsing(tmp_path / "browser") as tab:
            for width in (1280, 400):
                await tab.open("about:blank")
                await tab.open(address, width)
                await tab.wait(READY)
                await tab.wait(SHOWN)
                assert await tab.value("document.documentElement.scrollWidth <= innerWidth"), width
                broken = "[...document.images].filter(i => i.complete && !i.naturalWidth).length"
                assert await tab.value(broken) == 0 and await tab.value("document.images.length") >= 1

    with served(folder) as address:
        asyncio.run(look(address))


def test_twenty_thousand_rollouts_open_in_two_seconds(tmp_path):
    """From the navigation to a list that can be walked, by a server that was just started. A busy machine is not the page's fault:
    once in three times is enough, and where even that is not to be had the test says how busy it is."""
    folder, train = tmp_path / "large", world(120)
    write_items(folder / "data" / "train.parquet", train)
    add_rollouts(folder, train, steps=157, groups=16)

    async def look(address: str, scratch: Path) -> tuple[float, float, float]:
        async with browsing(scratch) as tab:
            begun = time.perf_counter()
            await tab.open(address)
            ready = await tab.wait(READY)
            await tab.wait(SHOWN)
            seconds = time.perf_counter() - begun
            assert await tab.value(COUNT) == "1 of 2512 groups"
            assert await tab.value("document.querySelectorAll('.row').length") < 60, "only what can be seen is drawn"
            click = "document.querySelector('button.choice').click()"
            filtering = await tab.value(f"(() => {{const begun = performance.now(); {click}; return performance.now() - begun}})()")
            return ready / 1000, seconds, filtering / 1000

    told: list[tuple[float, float, float]] = []
    while not (quick := any(ready < 2.0 and filtering < 0.5 for ready, _, filtering in told)) and len(told) < 3:
        with served(folder) as address:
            told.append(asyncio.run(look(address, tmp_path / f"browser-{len(told)}")))
    print("ready, first row in full, one filter [s]:", told)
    if not quick and os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip(f"the machine is busy, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: {told}")
    assert quick, told
