"""The GRPO stage: Ray, verl's task runner with our trainer in it, a deadline."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reward.panel import PanelConfig
from rl_align.errors import EngineFailed
from rl_align.runfiles import stop
from rl_align.runfiles.lock import WORKER, engine_lock

from . import env, verl_config
from .config import EngineConfig, EpisodeConfig, GRPOConfig, Platform
from .failures import engine_failure, failures_log
from .groups import Rule
from .model_server import Served, serve
from .progress import Follow
from .vital import Vital

#: Logical CPUs that Ray may schedule on: verl asks for one per actor, most of which only wait.
LOGICAL_CPUS = 16
OBJECT_STORE_BYTES = 500_000_000


def run(
    engine: EngineConfig,
    grpo: GRPOConfig,
    *,
    model: Path,
    train_file: Path,
    folder: Path,
    resume_from: Path | None,
    scorer: str,
    scorer_settings: Mapping[str, Any],
    weights: Mapping[str, float],
    name: str,
    panel: PanelConfig | None = None,
    measure: str | None = None,
    measure_settings: Mapping[str, Any] | None = None,
    judges: Mapping[str, Mapping[str, Any]] | None = None,
    partner: Served | None = None,
    episode: EpisodeConfig | None = None,
    stage: str = "grpo",
    command_began: float | None = None,
) -> None:
    """Trains until `grpo.steps` are done.

    Args:
        engine: Where and how.
        grpo: What.
        model: Hugging Face folder to start from.
        train_file: Parquet of prompts (`rl_align/data/rows.py`).
        folder: Run folder.
        resume_from: A verified checkpoint, or None.
        scorer: `module:factory` of the scorer.
        scorer_settings: What the factory gets.
        weights: Component weights, for `gdpo` and the record.
        name: Name of the run.
        panel: When the hacking panel is read, and its alarms; by default as `PanelConfig` says.
        measure: `module:factory` of what a text is truly worth, `(item id, text) -> float`; never a reward, only recorded.
        measure_settings: What the factory gets.
        judges: Preset → settings of each judge that the scorer asks; their outages stop the run.
        partner: A model that is served while this trains; the scorer asks it at `scorer_settings["endpoint"]`.
        episode: How many texts of each kind a prompt gets, where rows are episodes.
        stage: Name of the stage in logs, metrics and folders.
        command_began: Unix time from which `time/ready` counts: the beginning of the stage, or of the command that has only one.

    Raises:
        UserError: A setting that the installed verl does not have.
        EngineFailed: A run over its deadline, or an engine that failed.
        Stopped: It was asked to stop, by a file or a signal, and has saved the step that it was in.
    """
    env.apply(engine)  # before Ray is imported: it reads its settings then
    import ray

    first = int(resume_from.name.rpartition("_")[2]) + 1 if resume_from else 1
    settings = {
        "folder": str(folder),
        "stage": stage,
        "rollouts": str(rollouts_of(folder, stage)),
        "scorer": scorer,
        "scorer_settings": dict(scorer_settings),
        "weights": dict(weights),
        "panel": asdict(panel or PanelConfig()),
        "measure": measure,
        "measure_settings": dict(measure_settings or {}),
        "judges": dict(judges or {}),
        "episode": asdict(episode) if episode else None,
        "estimator": grpo.estimator,
        "mask_truncated": grpo.mask_truncated,
        "correlation_every": grpo.correlation_every,
        "correlation_alarm": grpo.correlation_alarm,
        "keep_checkpoints": grpo.keep_checkpoints,
        "train_dtype": engine.train_dtype,
        "step_deadline_s": engine.step_deadline_s,
        "steps": grpo.steps,
        "first_step": first,
        # One machine, one server, and imports take most of its start.
        "early": engine.platform is Platform.cpu and engine.nodes * engine.devices_per_node == 1,
        "command_began": command_began or time.time(),
    }
    keys = verl_config.grpo_settings(
        engine, grpo, model=model, train_file=train_file, folder=folder, resume_from=resume_from, name=name, stage=stage
    )
    # The signals come last: Ray sets handlers of its own when it starts.
    with ray_cluster(engine, folder), stop.asked_by_signals(folder), ExitStack() as stack:
        if partner is not None:
            url, settings["partner_actor"] = stack.enter_context(serve(partner))
            own = {"base_url": url, "model": partner.name, "identity": partner.identity}
            settings["scorer_settings"] |= {"endpoint": {**scorer_settings["endpoint"], **own}}
        runner = ray.remote(TaskRunner).options(num_cpus=1, name="rl_align_grpo").remote()
        follow = Follow(folder, stage)
        failed_before = failures_log(folder).stat().st_size if failures_log(folder).exists() else 0
        work = runner.train.remote(keys, list(engine.extra), settings)
        deadline, vital = time.monotonic() + engine.deadline_minutes * 60, Vital()
        while time.monotonic() < deadline:
            done = not vital.head_lost() and ray.wait([work], timeout=0.5)[0]
            follow.show()
            if done:
                break
            if lost := vital.lost():
                raise engine_failure("GRPO", RuntimeError(lost), folder, failed_before)
        else:
            raise EngineFailed(
                f"GRPO took longer than {engine.deadline_minutes:g} minutes",
                where="engine.deadline_minutes",
                fix="run the same command again to go on from the last checkpoint, or raise the deadline",
            )
        try:
            taken = ray.get(work)
        except ray.exceptions.RayError as error:
            failure = engine_failure("GRPO", error, folder, failed_before)
            # A batch system may signal the engine's own processes as well, which then do not live to finish their step.
            stop.obey(folder, f"without finishing the step ({failure})")
            raise failure from error
        if taken < grpo.steps:
            stop.obey(folder, f"after step {taken} of {grpo.steps} of {stage}")


def rollouts_of(folder: Path, stage: str) -> Path:
    """Folder of a stage's rollouts: the responder's lie at the top."""
    return folder / "rollouts" if stage == "grpo" else folder / "rollouts" / stage


class ray_cluster:  # noqa: N801 - used as a context manager
    """A local Ray cluster for the body, or the one that is already up."""

    def __init__(self, engine: EngineConfig, folder: Path):
        self.engine, self.folder = engine, folder
        self.ours = False

    def __enter__(self) -> None:
        import ray

        if ray.is_initialized():
            return
        self.ours = True
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if os.environ.get("RAY_ADDRESS") and self.engine.platform is not Platform.cpu:
            # Workers of a cluster that was there before do not inherit our environment.
            ray.init(**options, runtime_env={"env_vars": env.variables(self.engine)})
            return
        # Without an address Ray would join whatever cluster the machine has.
        options |= {"address": "local", "include_dashboard": False}
        # A machine with few cores would wait for ever for the actors that "hold" one each.
        options["num_cpus"] = max(os.cpu_count() or 1, LOGICAL_CPUS * self.engine.devices_per_node)
        if self.engine.platform is Platform.cpu:
            options |= {
                "num_cpus": LOGICAL_CPUS,
                "num_gpus": self.engine.devices_per_node,
                "object_store_memory": OBJECT_STORE_BYTES,
            }
        ray.init(**options)

    def __exit__(self, *_: Any) -> None:
        import ray

        if self.ours and Vital().head_lost():  # asked to shut down, Ray would wait for it
            ray._private.worker._global_node.kill_all_processes(check_alive=False)
        elif self.ours:
            ray.shutdown()


class TaskRunner:
    """verl's task runner, in a process of its own; its base class is looked up there, so that the driver imports no verl."""

    def train(self, keys: Mapping[str, Any], extra: list[str], settings: Mapping[str, Any]) -> int:
        """Composes verl's configuration, puts our trainer, sampler and server in, and runs. Returns the last step taken."""
        from . import early_processes

        if settings["early"]:
            early_processes.start(keys["actor_rollout_ref.model.path"])  # before this process imports verl
        from . import plugin

        plugin.assert_platform()
        with engine_lock(settings["folder"], WORKER):
            return self._train(keys, extra, settings)

    def _train(self, keys: Mapping[str, Any], extra: list[str], settings: Mapping[str, Any]) -> int:
        from omegaconf import OmegaConf, open_dict
        from verl.trainer.main_ppo import TaskRunnerV1
        from verl.trainer.ppo.utils import need_critic, need_reference_policy
        from verl.trainer.ppo.v1 import trainer_base
        from verl.utils.config import validate_config
        from verl.utils.device import auto_set_device

        from . import rollout_server, sampler
        from .server_manager import EarlyServerManager
        from .trainer import Trainer

        config = verl_config.compose(verl_config.GRPO_DEFAULTS, keys, extra)
        auto_set_device(config)
        validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
        with open_dict(config):
            config.rl_align = OmegaConf.create(dict(settings))
        rollout_server.register()
        if settings["early"]:
            trainer_base.LLMServerManager = EarlyServerManager
        sampler.GroupSampler.rule = Rule(settings["estimator"], settings["weights"], settings["mask_truncated"])
        sampler.GroupSampler.deadline_s = settings["step_deadline_s"]
        trainer_base.ReplayBuffer = sampler.GroupSampler
        trainer_base.TRAINER_REGISTRY["sync"] = Trainer  # the name stays "sync": verl branches on it
        runner = TaskRunnerV1.__ray_actor_class__()
        runner.run(config)
        return runner.trainer.last_step
