"""What Inspect finds under `rl_align/…` (entry point group `inspect_ai`)."""

from rl_align.eval.defences.adashield_s import adashield_s
from rl_align.eval.defences.ecso import ecso
from rl_align.eval.defences.eta import eta
from rl_align.eval.defences.figstep_defence import figstep_defence
from rl_align.eval.defences.guard import guard
from rl_align.eval.defences.mllm_protector import mllm_protector
from rl_align.eval.defences.none import none
from rl_align.eval.defences.ocr_guard import ocr_guard
from rl_align.eval.defences.refuse_if_flagged import refuse_if_flagged
from rl_align.eval.defences.self_reminder import self_reminder
from rl_align.eval.provider import VLLMChat
from rl_align.eval.tasks.pictograms import pictograms

__all__ = [
    "VLLMChat",
    "adashield_s",
    "ecso",
    "eta",
    "figstep_defence",
    "guard",
    "mllm_protector",
    "none",
    "ocr_guard",
    "pictograms",
    "refuse_if_flagged",
    "self_reminder",
]
