"""Every benchmark reads the real files, or the stand-ins in their layout; where they are absent, the tests say so and skip."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarking import HELP, REFUSAL, judging, summary

from rl_align.eval.benchmarks import BENCHMARKS, build

REAL = Path(__file__).resolve().parents[2] / "shared" / "realdata"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason=f"no dataset files at {REAL}")

#: Benchmark → folder, arguments, items asked, dropped. Of SIUO and MathVista no pictures may be kept here: nothing is left to ask.
COPIES = {
    "siuo": ("noncommercial/siuo", {}, 0, 90),
    "mm_safetybench": ("noncommercial/mm_safetybench", {"limit": 14, "image_pixels": 100_000}, 14, 290),
    "figstep": ("permissive/figstep", {"kind": "both", "image_pixels": 50_000}, 64, 36),
    "figstep_pro": ("permissive/figstep", {"image_pixels": 100_000}, 6, 44),
    "beavertails_v": ("synthetic/beavertails_v_saferlhf-v", {"compare": True}, 3, 0),
    "spa_vl": ("synthetic/spa_vl", {}, 6, 3),
    "vlguard": ("synthetic/vlguard", {}, 4, 5),
    "mis": ("synthetic/mis", {}, 3, 6),
    "holisafe": ("synthetic/holisafe", {}, 3, 0),
    "jailbreakv_28k": ("synthetic/jailbreakv_28k", {"splits": "all"}, 3, 3),
    "msts": ("permissive/msts", {"text_only": True}, 60, 160),
    "xstest": ("permissive/xstest", {"limit": 90}, 90, 0),
    "mossbench": ("permissive/mossbench", {"image_pixels": 50_000, "limit": 6}, 6, 93),
    "or_bench": ("synthetic/or_bench", {}, 6, 0),
    "strong_reject": ("synthetic/strong_reject", {}, 3, 0),
    "mathvista": ("permissive/mathvista", {}, 0, 20),
    "mmmu": ("synthetic/mmmu", {}, 3, 0),
    "mmstar": ("synthetic/mmstar", {}, 3, 0),
    "scienceqa": ("synthetic/scienceqa", {}, 1, 2),
}


@pytest.mark.parametrize("name", COPIES)
def test_real_files_load_and_are_measured(name):
    folder, options, n, dropped = COPIES[name]
    if not n:
        with pytest.raises(Exception, match=rf"no items to ask \({dropped} image_not_local\)"):
            build(name, str(REAL / folder), **options)
        return
    with judging() as (args, _):
        benchmark = build(name, str(REAL / folder), **options, **args)
        assert len(benchmark.samples) == n and sum(benchmark.loaded.dropped.values()) == dropped
        for reply, refused in ((REFUSAL, n), (HELP, 0)):
            found = summary(benchmark, lambda told, reply=reply: reply)
            assert found["counts"]["full_refusals"] == refused and found["counts"]["answers"] == n
            assert all(rate["unscored"] == 0 for rate in found["metrics"].values())


def test_every_benchmark_has_a_copy():
    assert list(COPIES) == list(BENCHMARKS)
