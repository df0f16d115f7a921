"""What an installation without an index takes: made-up wheels in a folder, made-up packages that are there already.

1. A version that is there and fits is used; one that does not fit is replaced by a wheel; what neither has is named.
2. An extra's requirements count only where the extra is asked for, and what the overrides leave out is not asked for at all.
3. The committed list is what setup.py asks for.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "launch" / "lib"))
import gpu_packages as g  # noqa: E402
import wheels as w  # noqa: E402
from packaging.version import Version  # noqa: E402


def offer(version: str, *requires: str, file: str | None = None) -> g.Offer:
    return g.Offer(Version(version), requires, Path(file) if file else None)


def wheel(folder: Path, name: str, version: str, *requires: str, tag: str = "py3-none-any") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join(lines) + "\n\ntext")
        archive.writestr(f"{name}/vendored-1.0.dist-info/METADATA", "Name: vendored\n")
    return path


def taken(plan: g.Plan) -> dict[str, str]:
    return {name: f"{o.version}{'' if o.file is None else ' wheel'}" for name, o in plan.taken.items()}


def test_what_is_there_and_fits_is_used():
    offers = {"engine": [offer("1.0", "torch==2.11.0", file="e")], "torch": [offer("2.11.0+cu130"), offer("2.11.0", file="t")]}
    plan = g.make_plan(["engine"], offers)
    assert taken(plan) == {"engine": "1.0 wheel", "torch": "2.11.0+cu130"} and plan.files == [Path("e")] and not plan.missing


def test_what_is_there_and_does_not_fit_is_replaced_with_what_that_asks_for():
    offers = {
        "engine": [offer("1.0", "transformers==5.9.0", file="e")],
        "transformers": [offer("5.17.0", "tokenizers>=0.23"), offer("5.9.0", "tokenizers<0.23", file="tr")],
        "tokenizers": [offer("0.23.1"), offer("0.22.2", file="to")],
    }
    plan = g.make_plan(["engine", "tokenizers"], offers)
    assert taken(plan) == {"engine": "1.0 wheel", "transformers": "5.9.0 wheel", "tokenizers": "0.22.2 wheel"}


def test_what_neither_has_is_named_with_what_is_asked_of_it():
    offers = {"engine": [offer("1.0", "numpy<3,>=2", "numpy!=2.1")], "numpy": [offer("1.26")]}
    plan = g.make_plan(["engine"], offers)
    assert plan.missing == {"numpy": "!=2.1, <3,>=2"} and taken(plan) == {"engine": "1.0"}


def test_extras_markers_and_what_is_left_out():
    verl = offer("0.9.1", "flash-attn==2.8.3; extra == 'fsdp'", "ray; extra == 'vllm'", "peft", "winapi; sys_platform == 'win32'")
    offers = {"verl": [verl], "ray": [offer("2.60", "click; extra == 'default'")], "peft": [offer("1")]}
    assert set(g.make_plan(["verl"], offers).taken) == {"verl", "peft"}
    plan = g.make_plan(["verl[vllm,fsdp]==0.9.1"], offers, frozenset({"flash-attn"}))
    assert set(plan.taken) == {"verl", "ray", "peft"} and not plan.missing
    assert set(g.make_plan(["verl[fsdp]"], offers).missing) == {"flash-attn"}


@pytest.mark.parametrize(("there", "found"), [("2.8.3+cu130torch2.11", True), ("2.7.0", False), (None, False)])
def test_a_flash_attn_that_somebody_built_is_taken_when_it_fits(there, found):
    offers = {"verl": [offer("0.9.1", "flash-attn==2.8.3; extra == 'fsdp'")]}
    offers |= {"flash-attn": [offer(there, file="f")]} if there else {}
    plan = g.with_what_is_left_out(["verl[fsdp]"], offers, frozenset({"flash-attn"}))
    assert not plan.missing and ("flash-attn" in plan.taken) is found


def test_a_circle_of_requirements_ends():
    offers = {"a": [offer("1", "b")], "b": [offer("2", "a>=2")]}
    assert g.make_plan(["a"], offers).missing == {"a": ">=2"}


def test_wheels_of_other_machines_are_passed_over(tmp_path):
    wheel(tmp_path, "here", "1.0", "other>=2; extra == 'x'")
    wheel(tmp_path, "elsewhere", "1.0", tag="cp27-cp27m-win32")
    assert [(name, o.requires) for name, o in g.in_folder(tmp_path)] == [("here", ("other>=2; extra == 'x'",))]


@pytest.mark.parametrize("name", ["odd.whl", "torn-1.0-py3-none-any.whl"])
def test_a_file_that_is_no_wheel_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(SystemExit, match=f"{name} is no wheel"):
        list(g.in_folder(tmp_path))


def test_the_listed_version_is_preferred_to_the_newest_of_the_folder(tmp_path):
    for version in ("1.0", "2.0", "3.0"):
        wheel(tmp_path, "notthere", version)
    listed = [w.Wheel("notthere", "2.0", "f", 1)]
    assert [str(o.version) for o in g.gather(tmp_path, listed)["notthere"]] == ["2.0", "3.0", "1.0"]


def test_flash_attn_is_left_out():
    assert g.left_out() == {"flash-attn"}


def test_the_command_names_what_is_missing_in_one_line(tmp_path):
    command = [sys.executable, str(ROOT / "launch" / "lib" / "gpu_packages.py"), "files", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(r"\d+ packages are neither installed nor in the folder: .*\n", done.stderr)


def test_a_description_says_what_would_be_used_and_what_is_missing():
    plan = g.make_plan(["here", "gone"], {"here": [offer("1.0")]})
    listed = [w.Wheel("gone", "1", "gone-1-py3-none-any.whl", 2_000_000), w.Wheel("behind-it", "1", "b.whl", None)]
    lines = g.describe(plan, listed, {"here"})
    assert lines[0] == "used as installed: 1 packages: here 1.0"
    assert lines[2] == "missing: 2 packages, 2 MB and 1 of unknown size: behind-it, gone"


# -- the list -------------------------------------------------------------------------------------------------------------------


def test_the_committed_list_is_what_setup_py_asks_for_and_holds_verls_tested_set():
    asked, listed = w.read_list()
    assert asked == w.requirements(), "setup.py changed: run launch/lib/wheels.py"
    versions = {wheel.name: wheel.version for wheel in listed}
    wanted = {"verl": "0.9.1", "vllm": "0.24.0", "torch": "2.11.0", "torchvision": "0.26.0", "transformers": "5.9.0"}
    assert wanted.items() <= versions.items() and "flash-attn" not in versions
    with_torch = {wheel.name for wheel in listed if wheel.with_torch}
    assert {"torch", "triton", "numpy", "nvidia-cublas"} <= with_torch and not {"vllm", "ray"} & with_torch
    table = (ROOT / "launch" / "requirements" / "wheels-gpu.md").read_text()
    assert all(f"| {wheel.name} | {wheel.version} |" in table for wheel in listed)
    assert "://" not in table + (ROOT / "launch" / "requirements" / "wheels-gpu.txt").read_text()


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["p-1-py3-none-any.whl", "p-1-cp311-cp311-manylinux_2_28_x86_64.whl"], 1),
        (["p-1-cp37-abi3-manylinux_2_28_x86_64.whl", "p-1-py3-none-any.whl"], 0),
        (["p-1-py310-none-any.whl", "p-1-py311-none-any.whl"], 1),
    ],
)
def test_the_wheel_that_an_installer_would_take(names, chosen):
    package = {"wheels": [{"url": f"scheme://host/a/{name}", "size": number} for number, name in enumerate(names)]}
    assert w.choose(package, "3.11") == (names[chosen], chosen)


def test_a_package_without_wheels_or_sizes():
    lock = {
        "packages": [{"name": "b", "version": "2", "sdist": {"name": "b-2.tar.gz"}}, {"name": "a", "version": "1", "wheels": []}]
    }
    lock["packages"][1]["wheels"] = [{"name": "a-1-py3-none-any.whl", "size": 1_500_000}]
    found = w.from_lock(lock, "3.11", {"a"})
    assert [f.line() for f in found] == ["a==1  # 1500000 a-1-py3-none-any.whl with torch", "b==2  # unknown b-2.tar.gz"]
    assert found[1].is_source and w.megabytes(found) == "2 MB and 1 of unknown size"
    assert "no wheel of b; that command builds it" in w.table(found, "3.11")


def test_a_list_is_read_as_it_was_written(tmp_path):
    found = [w.Wheel("a", "1", "a-1-py3-none-any.whl", 5, True), w.Wheel("b", "2", "b-2.tar.gz", None)]
    (tmp_path / "list").write_text(w.listing(["a>=1"], found, "3.11"))
    assert w.read_list(tmp_path / "list") == (["a>=1"], found)
    (tmp_path / "list").write_text("a=1\n")
    with pytest.raises(ValueError, match="list:1: not a line of the list"):
        w.read_list(tmp_path / "list")
