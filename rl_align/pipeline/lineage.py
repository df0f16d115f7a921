"""What every model of a run was made from: start, partner and rows, each by folder, stage and hash, back to the untrained one.

Read out of the records that stages leave (`stages/<name>.json`), other runs' included where a model of theirs was taken. A parent's
hash is that of the content which was read then: where the parent is another by now, that is said.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rl_align.config import config_hash
from rl_align.pipeline.stages import RECORDS, read_record

#: Folders of a run whose content is made from something and read again.
_KEPT = ("models", "data")


def lineage(folder: Path | str) -> dict[str, dict[str, Any]]:
    """Models of a run, and the rows they learnt from, in the order in which they were made.

    Args:
        folder: The run folder.

    Returns:
        Path relative to `folder` → `{"stage", "hash", "finished", "from": [{"role", "folder", "stage", "hash", "same"}]}`. `role`
        is start, partner (a frozen model that answered, or judged) or rows for a model, and source for rows. `stage` is None for
        what no stage of a run made, `same` whether the parent still is what was read (None where nobody knows).
    """
    root = Path(folder).absolute()
    nodes: dict[Path, dict[str, Any]] = {}
    _collect(root, nodes, set())
    read = {parent for node in nodes.values() for parent, _ in node["given"]}
    kept = [entry for entry in nodes.items() if entry[0].parent.name == "models" or entry[0] in read]
    ordered = sorted(kept, key=lambda entry: (entry[1]["finished"], str(entry[0])))
    return {
        os.path.relpath(path, root): {
            **{key: node[key] for key in ("stage", "hash", "finished")},
            "from": [_parent(path, given, nodes, root) for given in node["given"]],
        }
        for path, node in ordered
    }


def lines(made: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """One line a model: what it was made from."""
    return [
        f"{name} ({node['stage']}, {node['hash'][:12]}) from " + (", ".join(map(_told, node["from"])) or "nothing")
        for name, node in made.items()
        if Path(name).parent.name == "models"
    ]


def _told(parent: Mapping[str, Any]) -> str:
    gone = ", made anew since" if parent["same"] is False else ""
    return f"{parent['role']} {parent['folder']} ({parent['stage'] or 'not of a run'}, {parent['hash'][:12]}{gone})"


def _collect(run: Path, nodes: dict[Path, dict[str, Any]], seen: set[Path]) -> None:
    """Adds what the stages of a run made, and of the runs whose models they read."""
    seen.add(run)
    for path in sorted((run / RECORDS).glob("*.json")):
        record = None if path.name.endswith(".begun.json") else read_record(path)
        if record is None or not isinstance(record.get("inputs"), dict):
            continue
        origin = Path(record["taken_from"]).absolute() if isinstance(record.get("taken_from"), str) else run
        given = [(placed(run, origin, name), str(hash)) for name, hash in record["inputs"].items()]
        for place, content in _outputs(record["outputs"]):
            nodes[run / place] = {
                "stage": path.stem,
                "hash": config_hash(sorted(content.items())),
                "finished": str(record.get("finished", "")),
                "given": given,
            }
        for parent, _ in given:
            other = parent.parent.parent
            if parent.parent.name == "models" and other not in seen and (other / RECORDS).is_dir():
                _collect(other, nodes, seen)


def placed(run: Path, origin: Path, name: str) -> Path:
    """Where an input lies. What a stage that was taken over read in its own run is the same content in this one."""
    base = origin if name.startswith("..") or os.path.isabs(name) else run
    return Path(os.path.normpath(base / name))


def _outputs(contents: Mapping[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Outputs by model folder or file, with content as a stage that reads them records it."""
    grouped: dict[str, dict[str, str]] = {}
    for name, sha in contents.items():
        top, *rest = Path(name).parts
        if top in _KEPT and rest:
            grouped.setdefault(f"{top}/{rest[0]}", {})[str(Path(*rest))] = sha
    yield from grouped.items()


def _parent(path: Path, given: tuple[Path, str], nodes: Mapping[Path, Mapping[str, Any]], root: Path) -> dict[str, Any]:
    parent, hash = given
    node = nodes.get(parent)
    return {
        "role": _role(path, parent, nodes[path]["given"]),
        "folder": os.path.relpath(parent, root),
        "stage": node["stage"] if node else None,
        "hash": hash,
        "same": node["hash"] == hash if node else None,
    }


def _role(path: Path, parent: Path, given: list[tuple[Path, str]]) -> str:
    """Training stages name the model they start from before any other."""
    if path.parent.name != "models":
        return "source"
    if parent.suffix == ".parquet":
        return "rows"
    first = next((p for p, _ in given if p.suffix != ".parquet"), None)
    return "start" if parent == first else "partner"
