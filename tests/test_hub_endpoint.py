"""The Hub's own protocol, spoken with a scripted endpoint: pinned commits, streams, snapshots with archives, both caches offline.

Slow: every command is a process of its own, because the client reads the address of the Hub once, when it is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from dataset_files import png, table, tree
from hub_server import COMMIT, Hub
from test_hub import card, spa_vl

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent


@pytest.fixture
def hub(tmp_path):
    spa, vlguard, words = (tmp_path / "repos" / name for name in ("spa", "vlguard", "words"))
    spa.mkdir(parents=True), vlguard.mkdir(), words.mkdir()
    card(spa, spa_vl(spa))
    turn = [{"instruction": "Who?", "response": "No."}]
    row = {"safe": False, "harmful_category": "privacy", "instr-resp": turn}
    tree(vlguard / "train.json", [row | {"id": str(k), "image": f"bad/{k}.png"} for k in range(3)])
    with zipfile.ZipFile(vlguard / "train.zip", "w") as archive:
        for k in range(2):
            archive.writestr(f"train/bad/{k}.png", png())
    (vlguard / "huge.bin").write_bytes(b"never asked for")
    table(words / "prompts.csv", [{"prompt": prompt, "type": "t", "label": "safe"} for prompt in ("NaN", "null")])
    repos = {"sqrti/SPA-VL": spa, "ys-zong/VLGuard": vlguard, "Paul/XSTest": words, "etri-vilab/holisafe-bench": vlguard}
    with Hub(repos, gated=("etri-vilab/holisafe-bench",)) as server:
        yield server


def prepare(tmp_path: Path, address: str, source: str, place: str, *settings: str, **env: str) -> subprocess.CompletedProcess[str]:
    known = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": address, "PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "-m", "rl_align.cli", "data", "prepare", source, "--from", place, "--out", str(tmp_path / source)]
    command += ["image.max_pixels=7056", *settings]
    return subprocess.run(command, env={**os.environ, **known, **env}, capture_output=True, text=True)


def meta(tmp_path: Path, source: str) -> dict:
    return json.loads((tmp_path / source / "manifest.json").read_text())["meta"]


def test_large_sources_are_streamed_and_others_kept_for_when_there_is_no_hub(tmp_path, hub):
    done = prepare(tmp_path, hub.address, "spa_vl", "hf:")
    assert done.returncode == 0 and f"read hf:sqrti/SPA-VL@{COMMIT}" in done.stdout, done.stderr
    assert meta(tmp_path, "spa_vl")["from"] == f"hf:sqrti/SPA-VL@{COMMIT}"
    assert all(COMMIT in asked for asked in hub.asked if "/resolve/" in asked)  # every file at one commit
    assert not list((tmp_path / "home" / "datasets").glob("**/*.arrow"))
    assert prepare(tmp_path, hub.address, "spa_vl", "hf:", "streaming=false").returncode == 0
    offline = prepare(tmp_path, "http://127.0.0.1:9", "spa_vl", "hf:", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0 and "in datasets' cache, which has default, test, validation" in offline.stdout
    assert meta(tmp_path, "spa_vl")["counts"]["train"]["rows"] == 5
    done = prepare(tmp_path, hub.address, "xstest", "hf:")
    offline = prepare(tmp_path, "http://127.0.0.1:9", "xstest", "hf:")
    assert done.returncode == offline.returncode == 0 and "in datasets' cache" in offline.stdout, done.stderr + offline.stderr
    assert meta(tmp_path, "xstest")["counts"]["test"]["rows"] == 2


def test_files_beside_the_rows_are_downloaded_and_archives_read_where_they_are(tmp_path, hub):
    done = prepare(tmp_path, hub.address, "vlguard", "hf:")
    assert done.returncode == 0, done.stderr
    assert meta(tmp_path, "vlguard")["counts"]["train"]["rows"] == 2
    assert meta(tmp_path, "vlguard")["dropped"] == {"image_not_local": 1}
    assert not any("huge.bin" in asked for asked in hub.asked)
    offline = prepare(tmp_path, "http://127.0.0.1:9", "vlguard", "hf:", HF_HUB_OFFLINE="1")
    assert offline.returncode == 0 and "in the Hub's cache" in offline.stdout, offline.stderr


def test_a_gated_dataset_says_where_to_ask(tmp_path, hub):
    done = prepare(tmp_path, hub.address, "holisafe", "hf:")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    page = "https://huggingface.co/datasets/etri-vilab/holisafe-bench"
    assert f"on request only; ask for it at {page} and set HF_TOKEN" in done.stderr
