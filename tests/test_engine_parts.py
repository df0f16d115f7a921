"""The engine's own parts that need no engine: positions, shared images, records, checkpoints, labels, settings."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from reward.credit import Row, assign
from reward.label import write_label as label
from rl_align.engine.config import EngineConfig, GRPOConfig, SFTConfig, check
from rl_align.engine.record import StepRecord, rename, summarise
from rl_align.engine.scoring import Scored, item_of, load
from rl_align.runfiles.manifest import seal
from rl_align.schema import Behaviour, Citation, Item, Status


@pytest.fixture(scope="module")
def torch():
    """Imported only where a test needs it: every worker reads this file, one of them runs it."""
    return pytest.importorskip("torch")


def test_positions_continue_as_if_computed_whole(torch):
    from rl_align.engine.positions import extend_positions

    prompt = torch.tensor([[0, 1, 2, 3, 4], [0, 1, 1, 1, 3], [0, 1, 1, 2, 3], [0, 1, 2, 1, 3]])
    longer = extend_positions(prompt, 3)
    assert longer[:, :5].equal(prompt)
    assert longer[0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert longer[1:, 5:].tolist() == [[4, 5, 6]] * 3
    assert extend_positions(torch.arange(3), 2).tolist() == [0, 1, 2, 3, 4]


def test_equal_images_are_computed_once_with_equal_values_and_gradients(torch):
    from rl_align.engine.vision import share

    class Tower(torch.nn.Module):
        """Stands for a vision tower: counts the patches that it is given and merges 2 × 2 of them."""

        spatial_merge_size = 2

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(3))
            self.seen = 0

        def forward(self, hidden_states, grid_thw):
            self.seen += len(hidden_states)
            return (hidden_states * self.weight).view(-1, 4, 3).sum(1)

    torch.manual_seed(0)
    images = [torch.randn(8, 3), torch.randn(16, 3)]
    pixels = torch.cat([images[0], images[1], images[0], images[0]])
    grid = torch.tensor([[1, 2, 4], [1, 4, 4], [1, 2, 4], [1, 2, 4]])
    plain, shared = Tower(), Tower()
    wanted = plain(pixels, grid)
    found = share(Tower.forward)(shared, pixels, grid)
    assert torch.equal(found, wanted) and (plain.seen, shared.seen) == (40, 24)
    factors = torch.randn_like(wanted)
    (wanted * factors).sum().backward()
    (found * factors).sum().backward()
    assert torch.allclose(plain.weight.grad, shared.weight.grad, atol=1e-5)


def test_images_with_equal_sums_are_not_taken_for_equal(torch):
    from rl_align.engine.vision import distinct

    a = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    pixels, grid = torch.cat([a, a.flip(0), a]), torch.tensor([[1, 1, 2]] * 3)
    assert distinct(pixels, grid) == ([0, 1], [0, 1, 0])


def test_windows_of_one_length_attend_as_a_batch_as_they_do_one_by_one(torch):
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as module
    from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig

    from rl_align.engine import vision

    config = Qwen2_5_VLVisionConfig(hidden_size=32, num_heads=4)
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    attention = module.Qwen2_5_VLVisionAttention(config)
    original = module.Qwen2_5_VLVisionAttention.forward.__wrapped__
    batched = vision.batch(original, module.apply_rotary_pos_emb_vision)
    states, angles = torch.randn(24, 32), torch.randn(24, 8)
    position = {"position_embeddings": (angles.cos(), angles.sin())}
    for windows in ([0, 8, 16, 24], [0, 6, 24]):
        bounds = torch.tensor(windows, dtype=torch.int32)
        wanted, found = original(attention, states, bounds, **position), batched(attention, states, bounds, **position)
        assert torch.allclose(found, wanted, atol=1e-5), windows


def test_log_probabilities_equal_the_softmax_in_chunks_and_in_any_precision(monkeypatch, torch):
    from rl_align.engine import logprobs

    monkeypatch.setattr(logprobs, "CHUNK", 64)  # several chunks
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 7, 16, requires_grad=True), torch.randint(0, 16, (3, 7))
    wanted = logits.log_softmax(-1).gather(-1, labels[..., None]).squeeze(-1)
    found = logprobs.logprobs_from_logits(logits, labels)
    assert found.shape == (3, 7) and torch.allclose(found, wanted, atol=1e-6)
    assert logprobs.logprobs_from_logits(logits.bfloat16(), labels).dtype is torch.float32


def test_a_loss_that_is_not_finite_raises_an_alarm(tmp_path):
    record = StepRecord(settings(tmp_path))
    record.drawn = []
    record.log({"loss/train": float("nan")}, 1)
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["alarm/not_finite"] == 1


def test_rename_keeps_parts_of_the_step_and_finite_scalars():
    data = {"timing_s/step": 4.0, "timing_s/gen": 1.0, "timing_s/update_actor": 2.0, "timing_s/other": 9.0,
            "actor/grad_norm": float("nan"), "actor/lr": 1e-3, "num_turns/mean": 2, "text": "x"}  # fmt: skip
    assert rename(data) == {"time/step": 4.0, "time/generate": 1.0, "time/update": 2.0, "time/wait": 1.0, "actor/lr": 1e-3}


def told(item, reward, status="ok", text="t", **components):
    return {"item_id": item, "seat": "responder", "status": status, "reward": reward, "components": components,
            "gate": None, "text": text, "image": None, "tokens": 3, "score_s": 0.001}  # fmt: skip


def test_summary_never_counts_unscored_as_zero():
    rows = [Row("p", "0", reward=1.0, components={"citation": 1.0}),
            Row("p", "1", status=Status.JUDGE_UNSCORED, components={"citation": None}), None]  # fmt: skip
    metrics = summarise([told("i", 1.0), told("i", None, "judge_unscored"), {}], assign(rows))
    assert metrics["reward/total"] == 1.0 and metrics["reward/citation/responder"] == 1.0
    assert metrics["credit/unscored"] == 1 and metrics["credit/rows"] == 2
    assert metrics["status/judge_unscored"] == 1 and metrics["credit/lonely_groups"] == 1


def settings(folder):
    return {"folder": str(folder), "rollouts": str(folder / "rollouts"), "stage": "grpo", "weights": {},
            "correlation_alarm": 0.99, "steps": 2, "first_step": 1,
            "command_began": 0.0}  # fmt: skip


def test_a_step_is_in_every_record_before_it_may_be_saved(tmp_path):
    record = StepRecord(settings(tmp_path))
    seen = []
    record.after_log = lambda step: seen.append((step, record.ledger.clean("grpo")[step], (tmp_path / "metrics.jsonl").exists()))
    rows = [Row("p", "0", reward=1.0), Row("p", "1", reward=0.0)]
    metrics: dict = {"timing_s/step": 1.0}
    record.credited(1, ["p_0_0", "p_1_0"], [told("b", 1.0), told("b", 0.0)], assign(rows), metrics)
    record.log(metrics, 1)
    assert seen == [(1, ("b",), True)]
    written = [json.loads(line) for line in (tmp_path / "rollouts" / "step_00001.jsonl").read_text().splitlines()]
    assert {row["reward"] for row in written} == {0.0, 1.0} and all(row["kept"] for row in written)


def test_a_low_correlation_raises_an_alarm(tmp_path):
    record = StepRecord(settings(tmp_path))
    record.drawn = []
    record.log({"training/rollout_actor_probs_pearson_corr": 0.5}, 1)
    line = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert line["alarm/correlation"] == 1.0
    assert "ALARM" in (tmp_path / "logs" / "grpo.progress").read_text()


def test_a_damaged_checkpoint_falls_back_and_says_so(tmp_path):
    from rl_align.engine.checkpoints import resume_point, seal_and_prune

    for step in (1, 2, 3):
        folder = tmp_path / f"global_step_{step}"
        folder.mkdir()
        (folder / "model.pt").write_bytes(bytes([step]) * 10)
        seal_and_prune(folder, step, keep=2)
    assert not (tmp_path / "global_step_1").exists()
    (tmp_path / "global_step_3" / "model.pt").write_bytes(b"short")
    said: list[str] = []
    assert resume_point(tmp_path, said.append) == tmp_path / "global_step_2"
    assert said == [
        "    checkpoint global_step_3 is not trusted (model.pt has 5 bytes, its manifest says 10); using the one before it"
    ]
    assert not (tmp_path / "global_step_3").exists(), "the engine must not find it"
    (tmp_path / "global_step_4").mkdir()  # never sealed
    (tmp_path / "global_step_4" / "model.pt").write_bytes(b"x")
    assert resume_point(tmp_path, said.append) == tmp_path / "global_step_2"
    assert resume_point(tmp_path / "nowhere") is None


def test_sealed_means_complete(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("x")
    assert seal(tmp_path / "a")["files"]["x"]["size"] == 1


def test_labels_carry_what_rewards_may_know_and_never_the_truth():
    item = Item("i", (), "p", "d", "train", (Behaviour.REFUSE,), (Citation("animal_abuse", 1),), True, reference="r",
                truth={"unsafe": "secret"})  # fmt: skip
    text = label(item)
    assert "secret" not in text
    row = {"reward_model": {"ground_truth": text}, "extra_info": {"item_id": "i", "split": "train"}, "data_source": "d"}
    assert item_of(row) == replace(item, prompt="", truth={})


def test_the_responder_scorer_scores_a_right_answer_fully():
    from rl_align.transcript.responder import render_response

    item = Item("i", (), "p", "d", "train", (Behaviour.REFUSE,), (Citation("animal_abuse", 1),), True, reference="r")
    row = {"reward_model": {"ground_truth": label(item)}, "extra_info": {"item_id": "i", "split": "train"}, "data_source": "d",
           "raw_prompt": [{"role": "user", "content": item.prompt}]}  # fmt: skip
    score = load("rl_align.engine.scoring:responder", {"reward": {}, "max_response_tokens": 100})
    text = render_response(
        think="I refuse.", description="d", assessment="animal_abuse (Rule 1) applies.",
        answer="I cannot help with this. It could hurt.", safe=True,
    )  # fmt: skip
    right = score(row, text, 40, False)
    assert isinstance(right, Scored) and right.status is Status.OK and math.isclose(right.reward, 1.0)
    assert score(row, "no structure at all", 40, False).reward == 0.0
    assert score(row, text, 100, True).status is Status.TRUNCATED


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"rollouts_per_prompt": 1}, "grpo.rollouts_per_prompt"),
        ({"steps": 0}, "grpo.steps"),
        ({"estimator": "ppo"}, "grpo.estimator"),
        ({"loss_aggregation": "mean"}, "grpo.loss_aggregation"),
        ({"old_log_probs": "guess"}, "grpo.old_log_probs"),
    ],
)
def test_settings_that_cannot_work_are_named(change, key):
    assert [p[0] for p in check(EngineConfig(), SFTConfig(), replace(GRPOConfig(), **change))] == [key]
    assert check(EngineConfig(), SFTConfig(), GRPOConfig()) == []


def test_what_a_ray_job_sets_does_not_reach_processes_that_are_no_workers_of_ray():
    from rl_align.engine.env import without_ray_job

    kept = {"PATH": "/bin", "RAY_TMPDIR": "/t", "RAY_AUTH_MODE": "token"}
    of_the_job = {"RAY_ADDRESS": "a", "RAY_JOB_CONFIG_JSON_ENV_VAR": "{}", "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}
    assert without_ray_job(kept | of_the_job) == kept


def test_the_cause_of_a_failure_is_a_line_of_words(tmp_path):
    from rl_align.engine.failures import engine_failure

    told = RuntimeError("Traceback\n  File x\nactor 3 died: no room\n==========\n")
    assert "the engine failed: actor 3 died: no room;" in str(engine_failure("GRPO", told, tmp_path))
