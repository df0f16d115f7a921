"""What torch sees of a device, and how fast it multiplies there: what an MFU can be compared with.

python -m rl_align.engine.probe OUT.json --device cuda
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rl_align.runfiles.atomic import write_json

#: Edge of the square matrices, and products timed after three that warm up.
EDGE = {"cuda": 8192, "cpu": 512}
PRODUCTS = 10


def probe(device: str) -> dict[str, Any]:
    """Facts about a device and the speed of a bfloat16 product of random matrices.

    Raises:
        RuntimeError: torch does not see the GPU.
    """
    import torch

    found: dict[str, Any] = {"torch": torch.__version__, "device": device}
    if device == "cuda":
        if not torch.cuda.is_available():
            raise RuntimeError(f"torch {torch.__version__} (CUDA {torch.version.cuda}) sees no GPU: driver and torch do not fit")
        about = torch.cuda.get_device_properties(0)
        capability = f"{about.major}.{about.minor}"
        found |= {"name": about.name, "memory_gib": round(about.total_memory / 2**30, 2), "capability": capability}
        found["cuda"] = torch.version.cuda
    edge = EDGE[device]
    left, right = (torch.randn(edge, edge, device=device, dtype=torch.bfloat16) for _ in range(2))
    synchronise = torch.cuda.synchronize if device == "cuda" else lambda: None
    for _ in range(3):
        left @ right
    synchronise()
    begun = time.perf_counter()
    for _ in range(PRODUCTS):
        left @ right
    synchronise()
    seconds = (time.perf_counter() - begun) / PRODUCTS
    return found | {"matmul_edge": edge, "matmul_tflops_per_s": round(2 * edge**3 / seconds / 1e12, 3)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", choices=sorted(EDGE), default="cuda")
    arguments = parser.parse_args()
    write_json(arguments.out, probe(arguments.device))


if __name__ == "__main__":
    main()
