"""The same rewards through the interfaces of verl and TRL, against the real libraries."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from conftest import ROOT

from reward.adapters.trl import COMPONENTS, component_rewards, responder_reward
from reward.adapters.verl import UnscoredError, compute_score
from reward.config import Composition, RewardConfig, RewardWeights, config_from
from reward.label import read_label, write_label
from rl_align.errors import UserError
from rl_align.schema import Behaviour, Citation, Item
from rl_align.transcript.responder import render_response

ITEM = Item("i", (), "p", "d", "train", (Behaviour.REFUSE,), (Citation("animal_abuse", 1),), True, reference="r")
UNKNOWN = Item("u", (), "p", "d", "train")
RIGHT = render_response(
    think="I refuse.",
    description="d",
    assessment="animal_abuse (Rule 1) applies.",
    answer="I cannot help with this. It could hurt.",
    safe=True,
)


def test_labels_round_trip_without_the_truth():
    item = replace(ITEM, truth={"unsafe": "secret"})
    assert "secret" not in write_label(item)
    assert read_label(write_label(item), "i", "d", "train", "p") == ITEM


def test_settings_from_plain_values_fail_by_name():
    cfg = config_from({"composition": "weighted", "weights": {"citation": 2.0}})
    assert cfg == RewardConfig(composition=Composition.weighted, weights=RewardWeights(citation=2.0))
    for bad, where in (({"wieghts": {}}, "reward.wieghts"), ({"weights": {"x": 1}}, "reward.weights.x"),
                       ({"composition": "sum"}, "reward"), ({"weights": {"citation": -1}}, "reward.weights.citation")):  # fmt: skip
        with pytest.raises(UserError, match=where.replace(".", r"\.")):
            config_from(bad)


def test_verl_gets_a_score_with_its_components_and_never_a_zero_for_unscored():
    found = compute_score("d", RIGHT, write_label(ITEM), {"item_id": "i"})
    assert found["score"] == 1.0 and found["citation"] == 1.0 and math.isnan(found["helpfulness"])
    assert compute_score("d", "?", write_label(ITEM))["score"] == 0.0
    with pytest.raises(UnscoredError, match="'u' of 'd' has no score"):
        compute_score("d", RIGHT, write_label(UNKNOWN), {"item_id": "u"})
    assert compute_score("d", RIGHT, write_label(UNKNOWN), on_unscored=0.5)["score"] == 0.5
    with pytest.raises(UserError, match=r"reward\.weights\.x"):
        compute_score("d", RIGHT, write_label(ITEM), reward={"weights": {"x": 1}})


@pytest.mark.engine
def test_verl_loads_and_calls_it():
    code = f"""
import asyncio, json, math, torch
from omegaconf import OmegaConf
from types import SimpleNamespace
from rl_align.engine import plugin
from verl import DataProto
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
import numpy as np
config = OmegaConf.create({{"reward": {{"custom_reward_function": {{
    "path": "pkg://reward.adapters.verl", "name": "compute_score",
    "reward_kwargs": {{"reward": {{"weights": {{"length": 0.0}}}}}}}}}}}})
function = get_custom_reward_fn(config)
text, label = {RIGHT!r}, {write_label(ITEM)!r}
ids = torch.tensor([[ord(c) for c in text]])
tokenizer = SimpleNamespace(decode=lambda ids, skip_special_tokens: "".join(chr(int(i)) for i in ids))
array = lambda value: np.array([value], dtype=object)
data = DataProto.from_dict({{"responses": ids, "attention_mask": torch.ones_like(ids)}},
    non_tensors={{"data_source": array("d"), "reward_model": array({{"ground_truth": label}}),
                  "extra_info": array({{"item_id": "i"}})}})
async def main():
    return await NaiveRewardManager(config, tokenizer, function).run_single(data)
found = asyncio.run(main())
print(json.dumps([found["reward_score"], found["reward_extra_info"]["citation"]]))
"""
    from rl_align.engine import env
    from rl_align.engine.config import EngineConfig

    variables = {**os.environ, **env.variables(EngineConfig()), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [1.0, 1.0]


def test_trl_gets_none_for_unscored_and_one_function_a_component():
    labels = [write_label(ITEM), write_label(UNKNOWN), write_label(ITEM)]
    completions = [[{"role": "assistant", "content": RIGHT}], RIGHT, "?"]
    assert responder_reward()(completions=completions, label=labels, prompts=["p"] * 3) == [1.0, None, 0.0]
    functions = component_rewards()
    assert [f.__name__ for f in functions] == list(COMPONENTS)
    assert functions[0](completions=completions, label=labels) == [1.0, None, 0.0]
    long = responder_reward(max_tokens=10)(completions=[RIGHT], label=labels[:1], completion_ids=[[1] * 10])
    assert long == [-0.5], "a completion at the limit was cut off"


def test_trl_a_completion_that_ends_by_itself_at_the_limit_was_not_cut_off():
    told = {"completions": [RIGHT], "label": [write_label(ITEM)]}
    free = RewardConfig(weights=RewardWeights(length=0.0))
    for end_tokens, last, reward in (((), 2, 0.0), ({2}, 2, 1.0), ({2}, 1, 0.0)):
        function = responder_reward(free, max_tokens=10, end_tokens=end_tokens)
        assert function(**told, completion_ids=[[1] * 9 + [last]]) == [reward]
        behaviour = component_rewards(max_tokens=10, end_tokens=end_tokens)[COMPONENTS.index("length")]
        assert behaviour(**told, completion_ids=[[1] * 9 + [last]])[0] == -1.0


@pytest.mark.slow
def test_trl_trains_with_them(tmp_path):
    """GRPOTrainer of the installed TRL, in the environment that the benchmark makes for it."""
    sys.path.insert(0, str(ROOT / "experiments" / "bench"))
    import compare

    from rl_align.models.config import ModelConfig
    from rl_align.models.tiny import build

    python = compare.install_trl()
    model = build(ModelConfig(size="1m", vocab_size=300), tmp_path / "model", [RIGHT, "p", "the person asks"])
    (tmp_path / "labels.json").write_text(json.dumps([write_label(ITEM), write_label(UNKNOWN)]))
    code = f"""
import json, torch
from datasets import Dataset
from transformers import AutoModelForImageTextToText, AutoProcessor
from trl import GRPOConfig, GRPOTrainer
from reward.adapters.trl import component_rewards, responder_reward
labels = json.load(open({str(tmp_path / "labels.json")!r}))
rows = Dataset.from_list([{{"prompt": "p", "label": label, "id": str(k)}} for k, label in enumerate(labels * 4)])
config = GRPOConfig(output_dir={str(tmp_path / "out")!r}, use_cpu=True, bf16=False, max_steps=2, per_device_train_batch_size=8,
    num_generations=4, max_completion_length=16, report_to="none", logging_steps=1, save_strategy="no", disable_tqdm=True)
trainer = GRPOTrainer(
    model=AutoModelForImageTextToText.from_pretrained({str(model)!r}, dtype=torch.float32),
    processing_class=AutoProcessor.from_pretrained({str(model)!r}).tokenizer,
    reward_funcs=[responder_reward(max_tokens=16), *component_rewards()], args=config, train_dataset=rows)
trainer.train()
print(json.dumps(sorted(k for k in trainer.state.log_history[0] if k.startswith("rewards/"))))
"""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, env=variables, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    logged = json.loads(done.stdout.splitlines()[-1])
    assert "rewards/rl_align_reward/mean" in logged and {f"rewards/{name}/mean" for name in COMPONENTS} <= set(logged)
