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
from rl_align.eval.scorers.benchmark import benchmark
from rl_align.eval.scorers.metrics import counts, groups, intervals, rates
from rl_align.eval.tasks.beavertails_v import beavertails_v
from rl_align.eval.tasks.figstep import figstep
from rl_align.eval.tasks.figstep_pro import figstep_pro
from rl_align.eval.tasks.holisafe import holisafe
from rl_align.eval.tasks.jailbreakv_28k import jailbreakv_28k
from rl_align.eval.tasks.mathvista import mathvista
from rl_align.eval.tasks.mis import mis
from rl_align.eval.tasks.mm_safetybench import mm_safetybench
from rl_align.eval.tasks.mmmu import mmmu
from rl_align.eval.tasks.mmstar import mmstar
from rl_align.eval.tasks.mossbench import mossbench
from rl_align.eval.tasks.msts import msts
from rl_align.eval.tasks.or_bench import or_bench
from rl_align.eval.tasks.pictograms import pictograms
from rl_align.eval.tasks.scienceqa import scienceqa
from rl_align.eval.tasks.siuo import siuo
from rl_align.eval.tasks.spa_vl import spa_vl
from rl_align.eval.tasks.strong_reject import strong_reject
from rl_align.eval.tasks.vlguard import vlguard
from rl_align.eval.tasks.xstest import xstest

__all__ = [
    "VLLMChat",
    "adashield_s",
    "beavertails_v",
    "benchmark",
    "counts",
    "ecso",
    "eta",
    "figstep",
    "figstep_defence",
    "figstep_pro",
    "groups",
    "guard",
    "holisafe",
    "intervals",
    "jailbreakv_28k",
    "mathvista",
    "mis",
    "mllm_protector",
    "mm_safetybench",
    "mmmu",
    "mmstar",
    "mossbench",
    "msts",
    "none",
    "ocr_guard",
    "or_bench",
    "pictograms",
    "rates",
    "refuse_if_flagged",
    "scienceqa",
    "self_reminder",
    "siuo",
    "spa_vl",
    "strong_reject",
    "vlguard",
    "xstest",
]
