"""verl's agent loop worker, a prompt at a time instead of a rollout at a time.

For loops that have `run_group`, siblings share one processor run, one request and one write to the transfer queue; rewards are
computed in this process. Other loops take verl's own path. Put in by `rollout.agent.agent_loop_manager_class`.
"""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import hydra.utils
import ray
import torch
import transfer_queue as tq
from verl.experimental.agent_loop.agent_loop import DictConfigWrap, ToolListWrap, _agent_loop_registry
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ, apply_greedy_sampling_params
from verl.utils.tensordict_utils import list_of_dict_to_tensordict

from reward.canaries import canaries, rewriter_canaries
from rl_align.policy.catalogue import Catalogue

from . import agent_loops, early_processes, episode_loop, plugin, scoring
from .failures import failures_log
from .positions import extend_positions, prompt_positions

logger = logging.getLogger(__name__)

#: Columns of a row that verl reads after sampling. The others (the prompt with its images, …) stay out of the queue.
READ_LATER = ("uid", "data_source", "global_steps")

_Worker = AgentLoopWorkerTQ.__ray_actor_class__  # the class behind verl's Ray actor


class GroupAgentLoopWorker(_Worker):
    """Runs whole groups."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        plugin.assert_platform()
        torch.set_num_threads(1)  # tiny tensors only; the cores belong to generation
        settings = self.config.rl_align
        agent_loops.ResponderLoop.scorer = staticmethod(scoring.load(settings.scorer, settings.scorer_settings))
        if settings.panel.canaries_every:
            catalogue = Catalogue.load()
            agent_loops.ResponderLoop.canaries = staticmethod(lambda row: canaries(catalogue))
            agent_loops.RewriterLoop.canaries = staticmethod(lambda row: rewriter_canaries(catalogue, scoring.item_of(row)))
            agent_loops.ResponderLoop.canaries_every = settings.panel.canaries_every
        if settings.episode:
            episode_loop.EpisodeLoop.originals = settings.episode.originals
            episode_loop.EpisodeLoop.answers = settings.episode.answers
        if settings.rollouts:
            folder = Path(settings.rollouts) / "images"
            folder.mkdir(parents=True, exist_ok=True)
            agent_loops.ResponderLoop.image_folder = folder
        self._half = settings.train_dtype == "bfloat16"
        self._failures = failures_log(Path(settings.folder))
        self._loops: dict[str, Any] = {}

    async def _run_prompt(self, prompt: dict, sampling_params: dict, trajectory: dict, trace: bool = False) -> None:
        loop = self._loop(prompt["agent_name"])
        if not hasattr(loop, "run_group"):
            return await super()._run_prompt(prompt, sampling_params, trajectory, trace)
        uid, validate = prompt["uid"], trajectory["validate"]
        partition = "val" if validate else "train"
        rollout = self.config.actor_rollout_ref.rollout
        n = prompt.pop("__rollout_n__", rollout.val_kwargs.n if validate else rollout.n)
        sampling_params = dict(sampling_params)
        if not prompt.pop("__do_sample__", True) and not validate:
            apply_greedy_sampling_params(sampling_params)
        try:
            server_id, server = await self.llm_client._acquire_server(uid)
            try:
                texts = await loop.run_group(server, sampling_params, n, prompt)
            finally:
                self.llm_client._release_server(server_id, request_id=uid)
            await self._put(uid, partition, prompt, texts)
            status = "finished"
        except Exception:
            self._failed(prompt.get("extra_info", {}).get("item_id"), traceback.format_exc())
            status = "failure"
        await tq.async_kv_put(key=uid, partition_id=partition, tag={"status": status})

    def _failed(self, item: Any, trace: str) -> None:
        """A failed group shrinks the batch; its reason is kept where the person looks."""
        logger.error("the group of item %s failed\n%s", item, trace)
        with suppress(OSError), open(self._failures, "a", encoding="utf-8") as file:  # a full disk may be why it failed
            file.write(f"{item}: {trace}\n")

    def _loop(self, name: str) -> Any:
        if name not in self._loops:
            self._loops[name] = hydra.utils.instantiate(
                config=_agent_loop_registry[name],
                trainer_config=DictConfigWrap(config=self.config),
                server_manager=self.llm_client,
                tokenizer=self.tokenizer,
                processor=self.processor,
                hf_model_type=self.hf_model_type,
                dataset_cls=self.dataset_cls,
                data_config=DictConfigWrap(self.config.data),
                tools=ToolListWrap(self.tools),
            )
        return self._loops[name]

    async def _put(self, uid: str, partition: str, row: dict, texts: list[agent_loops.Text]) -> None:
        """Writes a group to the transfer queue: one row a text, in verl's layout, in one call."""
        if not texts:
            return
        kept = {k: row[k] for k in READ_LATER if k in row}
        seen: dict[int, tuple[torch.Tensor, torch.Tensor, dict[str, Any]]] = {}
        fields, tags = [], []
        for text in texts:
            if id(text.prompt) not in seen:
                seen[id(text.prompt)] = self._as_tensors(text.prompt)
            prompt_ids, positions, features = seen[id(text.prompt)]
            output = text.output
            responses = torch.tensor(output.response_ids)
            field = output.as_dict() | kept
            field["session_id"] = text.session
            field["loss_mask"] = field["response_mask"]
            field["input_ids"] = torch.cat([prompt_ids, responses])
            field["position_ids"] = extend_positions(positions, len(responses))
            field["multi_modal_inputs"] = dict(features)
            fields.append(field)
            tags.append(
                {
                    "status": "success",
                    "prompt_len": len(prompt_ids),
                    "response_len": len(responses),
                    "seq_len": len(prompt_ids) + len(responses),
                    "global_steps": row["global_steps"],
                    "min_global_steps": output.extra_fields["min_global_steps"],
                    "max_global_steps": output.extra_fields["max_global_steps"],
                }
            )
        await tq.async_kv_batch_put(
            keys=[f"{uid}_{text.session}_{text.index}" for text in texts],
            fields=list_of_dict_to_tensordict(fields),
            tags=tags,
            partition_id=partition,
        )

    def _as_tensors(self, prompt: agent_loops.Prompt) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
        """(token ids, position ids, image features) of a prompt, made once for all texts that follow it."""
        features = {k: v for k, v in prompt.features.items() if k != "mm_token_type_ids"}
        if self._half and "pixel_values" in features:
            # The trainer's mixed precision casts inputs to bfloat16 anyway; the queue carries half the bytes.
            features["pixel_values"] = features["pixel_values"].to(torch.bfloat16)
        ids = torch.tensor(prompt.ids)
        return ids, prompt_positions(self.processor, ids, prompt.features), features


class GroupAgentLoopManager(AgentLoopManagerTQ):
    """Starts our workers instead of verl's."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = early_processes.worker or ray.remote(GroupAgentLoopWorker)
