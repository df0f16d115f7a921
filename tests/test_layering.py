"""Lock: the directions of dependency, and what may be imported when. DESIGN.md and STYLE.md draw them."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "ray", "vllm", "verl", "transformers")

#: Package or module → what else of ours it may import. Those of `BELOW` lie below all.
BELOW = {"schema", "errors", "config", "outside", "runfiles", "statistics"}
NOUNS = {"policy", "transcript"}
ALLOWED: dict[str, set[str]] = {
    "schema": set(),
    "errors": set(),
    "config": {"errors"},
    "outside": {"errors"},
    "runfiles": {"errors"},
    "statistics": set(),
    "policy": BELOW,
    "transcript": BELOW | {"policy"},
    "pictograms": BELOW | NOUNS,
    "endpoints": {"schema", "errors", "config"},
    "data": BELOW | NOUNS | {"pictograms", "endpoints"},
    "reward": BELOW | NOUNS | {"endpoints"},
    "models": BELOW,
    "synthesis": BELOW | NOUNS | {"endpoints", "data", "reward"},
    "engine": BELOW | NOUNS | {"endpoints", "data", "reward", "models"},
    "eval": BELOW | NOUNS | {"endpoints", "pictograms", "data", "reward", "models", "guard"},
    "guard": BELOW | NOUNS | {"endpoints", "reward"},
}
ALLOWED["report"] = BELOW | NOUNS | {"pictograms", "data", "reward", "synthesis", "engine", "eval", "guard"}
ALLOWED["pipeline"] = ALLOWED["report"] | {"endpoints", "models", "report", "doctor"}
ALLOWED["launch"] = BELOW | {"engine", "pipeline"}
ALLOWED["sweep"] = BELOW | {"data", "eval", "report", "pipeline", "launch"}
ALLOWED["doctor"] = BELOW
ALLOWED["cli"] = set(ALLOWED) | {"doctor", "pipeline", "launch", "sweep"}


@cache
def _modules() -> dict[str, Path]:
    """Dotted name → file, of everything that setup.py packages."""
    files = [*sorted((ROOT / "rl_align").rglob("*.py")), *sorted((ROOT / "reward").rglob("*.py"))]
    return {str(f.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__"): f for f in files}


@cache
def _imports(module: str) -> frozenset[str]:
    """Dotted names that a module imports anywhere; `_lazy("a.b:c")` of the command line counts."""
    tree = ast.parse(_modules()[module].read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, node.level) if node.level else []
            found |= {".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names}
        elif module == "rl_align.cli" and isinstance(node, ast.Constant) and str(node.value).startswith("rl_align."):
            found.add(node.value.partition(":")[0])
    return frozenset(found)


def _base(module: str, level: int) -> list[str]:
    """The package that `level` leading dots of a relative import in `module` stand for."""
    parts = module.split(".") if _modules()[module].name == "__init__.py" else module.split(".")[:-1]
    return parts[: len(parts) - level + 1]


def _package(name: str) -> str | None:
    """`rl_align.engine.grpo` → `engine`; `reward.format` → `reward`; None for what is not ours."""
    parts = name.split(".")
    if parts[0] == "reward":
        return "reward"
    return parts[1] if parts[0] == "rl_align" and len(parts) > 1 else None


def test_every_package_has_its_place():
    """A new package must be given a place in ALLOWED."""
    assert {_package(m) for m in _modules()} - {None} <= set(ALLOWED)


def test_the_allowed_directions_have_no_circle():
    order: list[str] = []
    while remaining := [p for p in ALLOWED if p not in order]:
        free = [p for p in remaining if ALLOWED[p] <= {*order, p}]
        assert free, f"a circle among {remaining}"
        order += free


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_dependencies_point_one_way(package):
    wrong = [
        f"{module} imports {name}"
        for module in _modules()
        if _package(module) == package
        for name in sorted(_imports(module))
        if _package(name) in ALLOWED and _package(name) not in ALLOWED[package] | {package}
    ]
    assert not wrong


def test_the_types_of_endpoints_need_only_the_standard_library_and_their_settings_no_client():
    """Lock: judges are written against them, and are imported where there is no HTTP library."""
    assert {n.split(".")[0] for n in _imports("rl_align.endpoints.types")} <= sys.stdlib_module_names
    code = "import rl_align.endpoints.config, rl_align.endpoints.types, sys\nprint({'aiohttp', 'jsonschema'} & {*sys.modules})"
    result = _python(code)
    assert result.stdout.splitlines() == ["set()"], result.stderr


def test_only_the_engine_imports_verl():
    wrong = [m for m in _modules() if _package(m) != "engine" for name in _imports(m) if name.split(".")[0] == "verl"]
    assert not wrong


def test_the_package_itself_imports_nothing_and_the_nouns_only_the_standard_library():
    assert not _imports("rl_align")
    # Pillow decodes an image, when one is asked for.
    outside = {name.split(".")[0] for name in _imports("rl_align.schema")} - sys.stdlib_module_names
    assert outside <= {"PIL"}
    top = ast.parse((ROOT / "rl_align" / "schema.py").read_text()).body
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in top if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_rewards_do_not_see_the_world_the_data_or_the_engine():
    """Lock: a reward that could read ground truth would have no gap between reward and truth to measure."""
    seen, todo = set(), [m for m in _modules() if _package(m) == "reward"]
    while todo:
        module = todo.pop()
        seen.add(module)
        ours = {n if n in _modules() else n.rpartition(".")[0] for n in _imports(module)} & set(_modules())
        todo += ours - seen
    assert {_package(m) for m in seen} & {"pictograms", "data", "engine"} == set()


def _python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


def _loaded(code: str) -> str:
    """Which heavy packages a fresh interpreter holds after `code`."""
    result = _python(f"{code}\nimport sys\nprint([m for m in {HEAVY!r} if m in sys.modules])")
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]


def test_help_loads_nothing_heavy_and_is_instant():
    """The time is the process's own and the best of three: a busy machine is not the command's fault."""
    code = "import contextlib, rl_align.cli\nwith contextlib.suppress(SystemExit): rl_align.cli.main(['--help'])"
    assert _loaded(code) == "[]"
    result = _python(f"{code}\nimport sys\nprint('omegaconf' in sys.modules)")
    assert result.stdout.splitlines()[-1] == "False"
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        assert _python(code).returncode == 0
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.5


def test_configurations_and_rewards_import_nothing_heavy():
    packages = ("schema", "errors", "config", "outside", "runfiles", "statistics", "policy", "transcript", "reward", "doctor")
    light = [m for m in _modules() if m.endswith(".config") or _package(m) in packages]
    light += [f"rl_align.pipeline.{name}" for name in ("stages", "seeds", "status", "run", "report", "evaluate")]
    assert _loaded("import " + ", ".join(light)) == "[]"
