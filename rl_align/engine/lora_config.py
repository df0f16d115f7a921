"""Low-rank adaptation of a training stage (LoRA, arXiv 2106.09685). Importable without torch, ray, vllm or verl."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

#: What verl and PEFT call "every linear layer but the output layer".
ALL_LINEAR = "all-linear"
#: Modules that hold a vision tower, as the models of transformers name them.
TOWERS = "visual|vision_tower|vision_model"
#: PEFT leaves out what matches as a whole: the tower; or, of a tower that is adapted, what lies in none of its blocks. verl's merge
#: for vLLM goes through blocks only, so an adapter there would be trained and never sampled with.
FROZEN_TOWER = rf"(.*\.)?({TOWERS})\..*"
OUTSIDE_BLOCKS = rf"(.*\.)?({TOWERS})\.(?!blocks\.).*"

_NAME = re.compile(r"[A-Za-z_]\w*(\.\w+)*")


@dataclass
class LoRAConfig:
    """LoRA of one stage. Its adapter is merged into the model that the stage starts from; the next stage begins a new one.

    Attributes:
        rank: Of the adapter's matrices; 0 trains all weights.
        alpha: The adapter counts alpha / rank times.
        target_modules: Layers that get an adapter, by the ends of their names (`q_proj`); empty for every linear layer but the
            output layer.
        freeze_vision: Leave the vision tower as it is. Otherwise its blocks get adapters, too.
    """

    rank: int = 0
    alpha: int = 32
    target_modules: list[str] = field(default_factory=list)
    freeze_vision: bool = True

    @property
    def leave_out(self) -> str:
        """Pattern for the whole names of layers that get no adapter whatever `target_modules` says."""
        return FROZEN_TOWER if self.freeze_vision else OUTSIDE_BLOCKS


def problems_of(key: str, lora: LoRAConfig, rollout_dtype: str) -> list[tuple[str, str, str]]:
    """What is wrong with it, as (key, problem, expected)."""
    found = []
    if lora.rank < 0:
        found.append((f"{key}.rank", f"is {lora.rank}", "0 to train all weights, or the rank of an adapter, such as 32"))
    if lora.rank <= 0:
        return found
    if lora.alpha <= 0:
        found.append((f"{key}.alpha", f"is {lora.alpha}", "a positive whole number: the adapter counts alpha / rank times"))
    for name in lora.target_modules:
        if not _NAME.fullmatch(name):
            fix = "names of layers such as [q_proj, v_proj], or [] for every linear layer"
            found.append((f"{key}.target_modules", f"has {name!r}", fix))
        elif lora.freeze_vision and re.search(rf"(^|\.)({TOWERS})(\.|$)", name):
            expected = f"layers of the language model, or {key}.freeze_vision=false"
            found.append((f"{key}.target_modules", f"has {name!r} in the frozen vision tower", expected))
    if rollout_dtype != "bfloat16":
        what = f"is {rollout_dtype} with {key}.rank={lora.rank}"
        found.append(("engine.rollout_dtype", what, "bfloat16: verl hands merged weights to vLLM in nothing else"))
    return found
