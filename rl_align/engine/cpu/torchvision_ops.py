"""Schemas of two torchvision operators, declared before torchvision is imported.

The torchvision wheel of the default index is linked against CUDA: beside a CPU build of torch its compiled operators do not load
and `import torchvision` dies with "operator torchvision::nms does not exist". Transformers' image processors need torchvision,
but not those operators. Declaring the schemas first lets the import pass. Installed into the environment by the set-up (`python
-m rl_align.engine.cpu.torchvision_ops install`) as a `.pth` file, because every process of the engine needs it before anything
else, and only where it is needed. Unnecessary where torchvision's CPU wheel is installed.
"""

from __future__ import annotations

import sys
import sysconfig
from importlib import metadata
from pathlib import Path

FOR = {"torchvision": "0.28.0", "torch": "2.13.0"}
MODULE = "_rl_align_torchvision_ops"

#: Runs at interpreter start in every process of the environment: it must be tiny and must not import torch by itself.
SOURCE = '''"""See rl_align/engine/cpu/torchvision_ops.py."""
import importlib.abc
import sys


class _DeclareOperators(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            sys.meta_path.remove(self)
            import torch

            self.library = torch.library.Library("torchvision", "FRAGMENT")
            self.library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            self.library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
            _KEEP.append(self)
        return None


_KEEP = []
sys.meta_path.insert(0, _DeclareOperators())
'''


def needed() -> bool:
    """Whether a CUDA-linked torchvision sits beside a CPU build of torch."""
    try:
        torch_version, vision = metadata.version("torch"), metadata.distribution("torchvision")
    except metadata.PackageNotFoundError:
        return False
    return "+cpu" in torch_version and "+cpu" not in vision.version


def install(site: Path | None = None) -> bool:
    """Installs or removes the shim in `site` (default: this environment), as `needed()` says. Returns whether it is there."""
    site = site or Path(sysconfig.get_paths()["purelib"])
    module, pth = site / f"{MODULE}.py", site / f"{MODULE}.pth"
    if not needed():
        module.unlink(missing_ok=True)
        pth.unlink(missing_ok=True)
        return False
    if not module.exists() or module.read_text() != SOURCE:
        module.write_text(SOURCE)
    if not pth.exists():
        pth.write_text(f"import {MODULE}\n")
    return True


if __name__ == "__main__":
    if sys.argv[1:] != ["install"]:
        sys.exit("usage: python -m rl_align.engine.cpu.torchvision_ops install")
    print("torchvision operators: declared at start-up" if install() else "torchvision operators: nothing to do")
