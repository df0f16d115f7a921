"""verl's synchronous trainer with our credit, our record of a step and our resume; the algorithm is in `reward/credit.py`."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import transfer_queue as tq
from omegaconf import open_dict
from tensordict import TensorDict
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from reward import credit
from rl_align.runfiles import stop

from . import model_server, witness
from .record import StepRecord
from .rows import make_rows, plain

#: Fields of the transfer queue that the update does not read. Python objects are slow to fetch and to move to a device.
NOT_FOR_THE_ACTOR = frozenset({"data_source", "extra_fields", "global_steps", "metrics", "num_turns", "session_id", "uid"})


class Trainer(PPOTrainerSync):
    """Overrides of verl's hooks; everything else is verl's."""

    def __init__(self, config: Any):
        super().__init__(config)
        if config.algorithm.use_kl_in_reward:
            # That reward lives in a field which credit does not read: it would be ignored in silence.
            raise ValueError("algorithm.use_kl_in_reward is not supported: use grpo.kl_coef, the KL term in the loss")
        self.settings = config.rl_align
        self.record = StepRecord(self.settings)
        self.replay_buffer.watch = self.record.watch  # what dynamic sampling throws away is counted, too
        self.last_step = 0
        self._folder = Path(self.settings.folder)
        self._save_due = False
        self._batch: Any = None  # of this step
        self._told: dict[str, Any] = {}  # what its rows say of themselves, by key
        self.witness: dict[str, Any] | None = None  # of the checkpoint that is due
        self._bypass = bool(config.algorithm.rollout_correction.bypass_mode)

    def on_train_begin(self) -> None:
        self.logger = self.record  # verl's loggers would show no components; the record writes the same metrics and ours
        self.record.after_log = self._step_done
        self.last_step = self.global_steps - 1
        if self.settings.get("partner_actor"):
            model_server.wait_for(self.settings.partner_actor)
        self.record.ready()
        if stop.requested(self._folder):
            self.total_training_steps = self.last_step  # verl's loop ends before its first step

    def _save_checkpoint(self) -> None:
        # verl saves before it logs; a process killed in between would resume after a step that is in no record. So the checkpoint
        # waits until the step's metrics, rollouts and ledger entry are written.
        self._save_due = True
        self.witness = self._testify()  # now: verl forgets the batch before it logs

    def _testify(self) -> dict[str, Any] | None:
        """What the new weights say of this step's rollouts (`witness.py`). A checkpoint is worth more than its witness."""
        try:
            temperature = self.config.actor_rollout_ref.rollout.temperature
            asked = {"calculate_entropy": False, "compute_loss": False, "temperature": temperature}
            self.actor_rollout_wg.compute_log_prob(replace(self._batch, fields=_read_by_the_actor(self._batch), extra_info=asked))
            told = [self._told[key] for key in self._batch.keys]
            chosen = witness.choose(self._batch.keys, told)
            keys = [self._batch.keys[i] for i in chosen]
            data = tq.kv_batch_get(
                keys=keys, partition_id=self._batch.partition_id, select_fields=["input_ids", "log_probs", "response_mask"]
            )
            columns = [data[name].unbind() for name in ("input_ids", "response_mask", "log_probs")]
            rows = zip([told[i] for i in chosen], keys, *columns, strict=True)
            return {
                "step": self.global_steps,
                "temperature": float(temperature),
                "dtype": self.settings.train_dtype,
                "rows": os.path.relpath(self.config.data.train_files, self._folder),
                "texts": [witness.text(*row, bool(self.settings.episode)) for row in rows],
            }
        except Exception as error:
            reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'no message'}"
            self.record.progress.say(f"the checkpoint of step {self.global_steps} has no witness ({reason[:300]})")
            return None

    def _step_done(self, step: int) -> None:
        self.last_step = step
        stopping = step < self.total_training_steps and stop.requested(self._folder)
        if self._save_due or stopping:
            self._save_due = False
            super()._save_checkpoint()
        if stopping:
            self.total_training_steps = step  # verl's loop ends here

    def on_step_begin(self) -> None:
        # Old log-probabilities are the rollout's; every k steps they are recomputed, which measures how far the two engines are
        # apart.
        k = self.settings.correlation_every
        self._measure(self.global_steps == 1 or self.global_steps % k == 0)

    def _measure(self, on: bool) -> None:
        if self._bypass:
            with open_dict(self.config):
                self.config.algorithm.rollout_correction.bypass_mode = not on

    def _compute_advantage(self, batch: Any, metrics: dict) -> Any:
        if not self.config.algorithm.rollout_correction.bypass_mode:
            batch = super()._compute_advantage(batch, metrics)  # rollout correction; its advantages are overwritten below
        data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["response_mask", "extra_fields"])
        told = plain(data["extra_fields"])
        result = credit.assign(
            make_rows(batch.keys, told),
            self.settings.estimator,
            dict(self.settings.weights),
            self.settings.mask_truncated,
        )
        keep = result.keep
        # seq-mean losses divide by all rows of the mini-batch, excluded and padding rows included; the clipped objective is
        # proportional to its advantages, so scaling them gives the mean over the kept rows back.
        by_sequence = self.config.actor_rollout_ref.actor.loss_agg_mode.startswith("seq-mean")
        scale = len(batch) / max(1, sum(keep)) if by_sequence else 1.0
        masks = data["response_mask"].unbind()
        mask = _nested(m * k for m, k in zip(masks, keep, strict=True))
        advantages = _nested(m.float() * (a * scale if k else 0.0) for m, a, k in zip(masks, result.advantage, keep, strict=True))
        rewards = [row.reward if row and row.reward is not None else 0.0 for row in result.rows]
        scores = _nested(torch.cat([torch.zeros(len(m) - 1), torch.tensor([r])]) for m, r in zip(masks, rewards, strict=True))
        fields = TensorDict(
            {
                "advantages": advantages,
                "returns": advantages,
                "response_mask": mask,  # numerator of the policy loss
                "loss_mask": mask,  # its denominator: verl divides by loss_mask.sum()
                "rm_scores": scores,  # what verl's critic/score metrics show, per row
            },
            batch_size=len(batch),
        )
        # verl's metrics skip rows tagged is_padding, so excluded rows are tagged too; with nothing kept the tags stay, because verl
        # takes the maximum of what is left.
        tags = [
            dict(tag, kept=k, is_padding=tag.get("is_padding", False) or (any(keep) and not k))
            for tag, k in zip(batch.tags, keep, strict=True)
        ]
        batch = tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields, tags=tags)
        self._told = {key: extra.get("rl", {}) for key, extra in zip(batch.keys, told, strict=True)}
        groups = len({row.uid for row in result.rows if row})
        metrics["status/failed_group"] = max(0, self.config.data.train_batch_size - groups)
        self.record.credited(self.global_steps, batch.keys, [extra.get("rl", {}) for extra in told], result, metrics)
        return batch

    def _update_actor(self, batch: Any, metrics: dict) -> Any:
        self._batch = batch
        actor = self.config.actor_rollout_ref.actor
        per_step = actor.ppo_mini_batch_size * self.config.actor_rollout_ref.rollout.n
        taught = any(tag["kept"] for tag in batch.tags)
        metrics["credit/optimizer_steps"] = len(batch) // per_step if taught else 0
        if not taught:  # the loss would be 0 / 0 tokens
            return batch
        super()._update_actor(replace(batch, fields=_read_by_the_actor(batch)), metrics)
        return batch

    def _load_checkpoint(self) -> None:
        begun = time.perf_counter()
        super()._load_checkpoint()
        if self.global_steps:
            self.record.progress.say(f"resumed after step {self.global_steps} in {time.perf_counter() - begun:.1f} s")


def _read_by_the_actor(batch: Any) -> list[str] | None:
    return [name for name in batch.fields if name not in NOT_FOR_THE_ACTOR] if batch.fields else None


def _nested(tensors: Any) -> torch.Tensor:
    return torch.nested.as_nested_tensor(list(tensors), layout=torch.jagged)
