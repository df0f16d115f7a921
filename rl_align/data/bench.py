"""How fast pictures become a dataset, and how much memory validating one takes (`rl-align bench data`)."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import Quarantine
from rl_align.data.shards import Shards
from rl_align.data.validate import validate
from rl_align.pictograms.config import PictogramsConfig
from rl_align.pictograms.items import items
from rl_align.schema import ImageRef, Item

#: Pictures a second of a core, and bytes of memory, that are good enough.
PICTURES_PER_S, MEMORY_BYTES = 2000, 1_500_000_000
_CHILD = """
import resource, sys, time
from pathlib import Path
from rl_align.data.check import check
check(sys.argv[1], progress=False)
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024, time.process_time())
"""


def bench(rows: Sequence[int] = (10_000, 100_000, 1_000_000), pictures: int = 2000, say: Callable[[str], None] = print) -> None:
    """Measures both and says what came out. Rates are by CPU time: what else the machine does is not the data's time.

    Args:
        rows: Sizes of the datasets that are validated, each in a process of its own.
        pictures: Pictures that are decoded and written.
        say: Gets a line a measurement.
    """
    made = list(items(PictogramsConfig(train=pictures), "train"))
    rate = max(_rate(made) for _ in range(3))
    verdict = "met" if rate >= PICTURES_PER_S else "missed"
    say(f"pictograms: {rate:,.0f}/s decoded and written on one core (target {PICTURES_PER_S:,}: {verdict})")
    rate = max(_rate([_enlarged(item) for item in made]) for _ in range(3))
    say(f"pictograms of another size, resized and encoded again: {rate:,.0f}/s")
    for count in rows:
        with tempfile.TemporaryDirectory(prefix="rl_align-bench-") as folder:
            size = _write(Path(folder), made, count)
            done = subprocess.run([sys.executable, "-c", _CHILD, folder], capture_output=True, text=True, check=True)
        peak, seconds = (float(word) for word in done.stdout.split())
        verdict = "met" if peak < MEMORY_BYTES else "missed"
        memory = f"{peak / 1e6:,.0f} MB at most (target {MEMORY_BYTES / 1e6:,.0f}: {verdict})"
        say(f"validate {count:,} rows, {size / 1e6:,.0f} MB: {memory}, {count / seconds:,.0f} rows/s")


def _enlarged(item: Item) -> Item:
    """The item with a picture of a size that does not fit, so that it has to be resized."""
    image = item.images[0].decode().convert("RGB").resize((130, 130))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return replace(item, images=(ImageRef(data=buffer.getvalue()),))


def _rate(batch: Sequence[Item]) -> float:
    with tempfile.TemporaryDirectory(prefix="rl_align-bench-") as folder:
        begun = time.process_time()
        shards = Shards(Path(folder))
        for item in validate(batch, ImageConfig(max_pixels=12_544), Quarantine()):
            shards.add(item)
        shards.close()
        return len(batch) / (time.process_time() - begun)


def _write(folder: Path, made: Sequence[Item], count: int) -> int:
    def rows() -> Iterator[Item]:
        # Every tenth row has a picture: a million of them fit on a small disk.
        for k in range(count):
            item = made[k // 10 % len(made)]
            yield replace(item, id=f"train-{k:08d}", prompt=f"{item.prompt} {k}", images=item.images if k % 10 == 0 else ())

    shards = Shards(folder, 100_000)
    for row in rows():
        shards.add(row)
    shards.close()
    return sum(path.stat().st_size for path in folder.iterdir())
