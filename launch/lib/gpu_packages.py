"""What an installation without an index takes: packages that are there in a fitting version, and wheels of a folder for the rest.

    python launch/lib/gpu_packages.py plan WHEELS      # prints what would be taken from where
    python launch/lib/gpu_packages.py files WHEELS     # the wheels to install, one a line, for `pip install --no-index --no-deps`

pip alone will not do: it knows no overrides, and verl's extra asks for a flash-attn that has to be built. "Fitting" means that
every package that is taken agrees. Standard library and `packaging`, which comes with pip too.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import HeaderParser
from importlib import metadata
from pathlib import Path

from wheels import REQUIREMENTS, Wheel, megabytes, read_list

try:
    from packaging.markers import default_environment
    from packaging.requirements import Requirement
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version
except ModuleNotFoundError:
    from pip._vendor.packaging.markers import default_environment
    from pip._vendor.packaging.requirements import Requirement
    from pip._vendor.packaging.tags import sys_tags
    from pip._vendor.packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from pip._vendor.packaging.version import InvalidVersion, Version


@dataclass(frozen=True)
class Offer:
    """A package in a version that can be had: installed, or a wheel.

    Attributes:
        version: Of it.
        requires: Its requirements, as its metadata states them.
        file: The wheel; None for what is installed.
    """

    version: Version
    requires: tuple[str, ...] = ()
    file: Path | None = None


@dataclass
class Plan:
    """What is taken.

    Attributes:
        taken: Name → offer.
        missing: Name → what is asked of it and cannot be had.
    """

    taken: dict[str, Offer] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """The wheels to install."""
        return sorted(offer.file for offer in self.taken.values() if offer.file)


def make_plan(asked: Sequence[str], offers: Mapping[str, Sequence[Offer]], without: frozenset[str] = frozenset()) -> Plan:
    """Takes the first offer of every package that all others agree with, from the roots down, until nothing changes.

    Args:
        asked: The roots, as requirements.
        offers: Name → offers, the preferred one first.
        without: Names that are left out, whoever asks for them.
    """
    refused: dict[tuple[str, Version], list[object]] = {}
    while True:
        plan, demands = _walk(asked, offers, without, refused)
        clash = next((name for name, offer in plan.taken.items() if not _fits(offer.version, demands[name])), None)
        if clash is None:
            for name in plan.missing:
                before = [demand for (other, _), why in refused.items() if other == name for demand in why]
                plan.missing[name] = _together(demands[name]) or _together(before)
            return plan
        refused[clash, plan.taken[clash].version] = demands[clash]


def _walk(
    asked: Sequence[str], offers: Mapping[str, Sequence[Offer]], without: frozenset[str], refused: Collection[tuple[str, Version]]
) -> tuple[Plan, dict[str, list[object]]]:
    """What the roots reach with the best offers that are not refused, and what is demanded of each package on the way."""
    plan, demands, seen = Plan(), {}, set()
    todo = deque((line, "") for line in asked)
    while todo:
        text, extra = todo.popleft()
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        if name in without or not _applies(requirement, extra):
            continue
        demands.setdefault(name, []).append(requirement.specifier)
        if name not in plan.taken and name not in plan.missing:
            fitting = [o for o in offers.get(name, ()) if (name, o.version) not in refused]
            if not fitting:
                plan.missing[name] = ""
                continue
            plan.taken[name] = fitting[0]
        for wanted in ("", *requirement.extras):
            if name in plan.taken and (name, wanted) not in seen:
                seen.add((name, wanted))
                todo += [(line, wanted) for line in plan.taken[name].requires]
    return plan, demands


def _together(demands: Sequence[object]) -> str:
    return ", ".join(sorted({text for demand in demands if (text := str(demand))}))


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({**default_environment(), "extra": extra})


def _fits(version: Version, specifiers: Sequence[object]) -> bool:
    return all(specifier.contains(version, prereleases=True) for specifier in specifiers)


def installed() -> dict[str, list[Offer]]:
    """What this interpreter can import; of several copies the first on the path."""
    found: dict[str, list[Offer]] = {}
    for distribution in metadata.distributions():
        try:
            name, version = canonicalize_name(distribution.metadata["Name"]), Version(distribution.version)
        except (InvalidVersion, TypeError, AttributeError):
            continue  # a broken installation is none
        found.setdefault(name, [Offer(version, tuple(distribution.requires or ()))])
    return found


def in_folder(folder: Path) -> Iterator[tuple[str, Offer]]:
    """The wheels of a folder that this interpreter takes. Raises SystemExit for a file that is no wheel."""
    tags = frozenset(sys_tags())
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, its = parse_wheel_filename(path.name)
            offer = Offer(version, _requires(path), path) if tags & its else None
        except (InvalidWheelFilename, zipfile.BadZipFile, StopIteration) as error:
            sys.exit(f"{path} is no wheel ({type(error).__name__}); remove it or bring it again")
        if offer is not None:
            yield canonicalize_name(name), offer


def _requires(wheel: Path) -> tuple[str, ...]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA") and n.count("/") == 1)
        return tuple(HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace")).get_all("Requires-Dist") or ())


def gather(folder: Path | None, listed: Sequence[Wheel]) -> dict[str, list[Offer]]:
    """Every offer: what is installed first, then the listed version, then the newest of the folder."""
    offers = installed()
    pinned = {canonicalize_name(wheel.name): Version(wheel.version) for wheel in listed}
    wheels: dict[str, list[Offer]] = {}
    for name, offer in in_folder(folder) if folder else ():
        wheels.setdefault(name, []).append(offer)
    for name, found in wheels.items():
        found.sort(key=lambda offer: (offer.version == pinned.get(name), offer.version), reverse=True)
        offers.setdefault(name, []).extend(found)
    return offers


def left_out(path: Path = REQUIREMENTS / "overrides-gpu.txt") -> frozenset[str]:
    """Names that the overrides leave out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    found = [Requirement(line) for line in lines]
    return frozenset(canonicalize_name(r.name) for r in found if r.marker is not None and not _applies(r, ""))


def with_what_is_left_out(asked: Sequence[str], offers: Mapping[str, Sequence[Offer]], left: frozenset[str]) -> Plan:
    """The plan with those of `left` that can be had in a version that fits: a flash-attn that somebody built is welcome."""
    plan = make_plan(asked, offers, frozenset(left - offers.keys()))
    return make_plan(asked, offers, left) if left & plan.missing.keys() else plan


def describe(plan: Plan, listed: Sequence[Wheel], there: Collection[str] = ()) -> list[str]:
    """Lines for a person; `there` are the names of all that is installed."""
    sizes = {canonicalize_name(wheel.name): wheel for wheel in listed}
    used = {name: offer for name, offer in plan.taken.items() if offer.file is None}
    lines = [f"used as installed: {len(used)} packages" + _some([f"{n} {o.version}" for n, o in used.items()])]
    lines.append(f"installed from the folder: {len(plan.files)} wheels, {sum(f.stat().st_size for f in plan.files) / 1e6:,.0f} MB")
    # What a missing package itself asks for is known by the list only.
    missing = {*plan.missing, *(sizes.keys() - plan.taken.keys() - set(there) if plan.missing else ())}
    if missing:
        known = [sizes[name] for name in missing if name in sizes]
        lines.append(f"missing: {len(missing)} packages, {megabytes(known)}" + _some(list(missing)))
    return lines


def _some(names: Sequence[str], most: int = 6) -> str:
    shown = ", ".join(sorted(names)[:most])
    return f": {shown}{', …' if len(names) > most else ''}" if names else ""


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Exit code 1: something is missing, and is named in one line on standard error."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["plan", "files"])
    parser.add_argument("folder", nargs="?", type=Path)
    arguments = parser.parse_args(argv)
    asked, listed = read_list()
    plan = with_what_is_left_out(asked, gather(arguments.folder, listed), left_out())
    if arguments.action == "plan":
        print("\n".join(describe(plan, listed, installed())))
        return 0
    if plan.missing:
        wanted = [f"{name}{specifiers}" for name, specifiers in sorted(plan.missing.items())]
        print(f"{len(wanted)} packages are neither installed nor in the folder{_some(wanted, 20)}", file=sys.stderr)
        return 1
    print("\n".join(map(str, plan.files)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
