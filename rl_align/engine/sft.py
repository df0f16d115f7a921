"""The SFT stage: verl's SFT trainer in processes of its own, one a device, with our record and sealed checkpoints."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rl_align.errors import EngineFailed
from rl_align.runfiles import stop
from rl_align.runfiles.atomic import write_json
from rl_align.runfiles.lock import WORKER, engine_lock
from rl_align.runfiles.manifest import Pointer
from rl_align.runfiles.room import full

from . import env, verl_config
from .checkpoints import LATEST
from .config import EngineConfig, Platform, SFTConfig
from .progress import Follow

#: What verl says of a GPU's memory; on a CPU it is zero.
MEMORY = ("max_memory_allocated_gb", "max_memory_reserved_gb")


def run(
    engine: EngineConfig,
    sft: SFTConfig,
    *,
    model: Path,
    train_file: Path,
    folder: Path,
    resume_from: Path | None,
    name: str,
    stage: str = "sft",
    command_began: float | None = None,
) -> None:
    """Trains until `sft.steps` are done; arguments as in `rl_align.engine.grpo.run`, `stage` names records and checkpoints.

    Raises:
        EngineFailed: A run over its deadline, or a trainer that failed.
        Stopped: It was asked to stop, by a file or a signal, and has saved the step that it was in.
    """
    settings = {
        "folder": str(folder),
        "stage": stage,
        "weights": {},
        "correlation_alarm": 0.0,
        "keep_checkpoints": sft.keep_checkpoints,
        "steps": sft.steps,
        "seed": sft.seed,
        "line_every": max(1, sft.steps // 50),
        "first_step": int(resume_from.name.rpartition("_")[2]) + 1 if resume_from else 1,
        "command_began": command_began or time.time(),
    }
    keys = verl_config.sft_settings(
        engine, sft, model=model, train_file=train_file, folder=folder, resume_from=resume_from, name=name, stage=stage
    )
    job = folder / "logs" / f"{stage}-job.json"
    write_json(job, {"keys": keys, "extra": engine.extra_sft, "settings": settings})
    ranks = engine.devices_per_node
    command = [sys.executable, "-m", "rl_align.engine.sft", str(job)]
    alone = ranks * engine.nodes == 1 and engine.platform is Platform.cpu
    if not alone:
        launcher = ["-m", "torch.distributed.run", f"--nnodes={engine.nodes}", f"--nproc_per_node={ranks}"]
        rendezvous = ["--standalone"] if engine.nodes == 1 else []
        command = [sys.executable, *launcher, *rendezvous, "-m", "rl_align.engine.sft", str(job)]
    env.apply(engine)
    variables = env.without_ray_job(os.environ)
    if alone:
        variables |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
        # verl reads address and port even where the rendezvous is a file.
        variables |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "DIST_INIT_METHOD": _file_store(folder)}
    log = folder / "logs" / f"{stage}.log"
    follow = Follow(folder, stage)
    with open(log, "ab") as output, stop.asked_by_signals(folder):
        process = subprocess.Popen(
            command, env=variables, stdout=output, stderr=output, start_new_session=True, preexec_fn=_die_with_parent
        )
        try:
            deadline = time.monotonic() + engine.deadline_minutes * 60
            while (code := process.poll()) is None:
                time.sleep(0.2)
                follow.show()
                if time.monotonic() > deadline:
                    raise EngineFailed(
                        f"{stage} took longer than {engine.deadline_minutes:g} minutes",
                        where="engine.deadline_minutes",
                        fix="run the same command again to go on from the last checkpoint, or raise the deadline",
                    )
            follow.show()
        finally:
            _kill_group(process)
    if code:
        stop.obey(folder, f"without finishing the step (the trainer ended with code {code})")
        if out_of_room := full(folder, stage):
            raise out_of_room
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise EngineFailed(
            f"the trainer failed: {lines[-1].strip() if lines else f'exit code {code}'}",
            where=stage,
            fix=f"its messages are in {log}; the same command goes on from the last checkpoint",
        )
    taken = (Pointer(folder / "checkpoints" / stage / LATEST).read() or {}).get("step", 0)
    if taken < sft.steps:
        stop.obey(folder, f"after step {taken} of {sft.steps} of {stage}")


def _file_store(folder: Path) -> str:
    """A rendezvous without a port: a fresh file. One left by a killed run would make the next one wait for it."""
    path = (folder / "logs" / "sft.store").absolute()
    path.unlink(missing_ok=True)
    return f"file://{path}"


def _die_with_parent() -> None:
    """A killed command must not leave a trainer that goes on writing into its folder."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _kill_group(process: subprocess.Popen) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _work(job: Mapping[str, Any]) -> None:
    """One rank."""
    import torch
    from verl.trainer.sft_trainer import SFTTrainer
    from verl.utils.device import auto_set_device
    from verl.utils.distributed import destroy_global_process_group, initialize_global_process_group

    from . import plugin
    from .checkpoints import seal_and_prune
    from .record import StepRecord

    plugin.assert_platform()
    settings = job["settings"]

    class WarmStartTrainer(SFTTrainer):
        """Writes each step down before verl may save it."""

        def _build_engine(self) -> None:
            super()._build_engine()
            self.record = StepRecord(settings) if self.rank == 0 else None
            train_batch = self.training_client.train_batch

            def recorded(data: Any) -> Any:
                begun = time.perf_counter()
                output = train_batch(data)
                self._record(output, time.perf_counter() - begun)
                return output

            self.training_client.train_batch = recorded

        def _build_dataloader(self) -> None:
            super()._build_dataloader()
            self.train_sampler.seed = settings["seed"]  # verl leaves the order of the transcripts unseeded

        def _record(self, output: Any, seconds: float) -> None:
            from verl.utils import tensordict_utils as tu

            drawn, self.train_dataset.drawn = self.train_dataset.drawn, []
            self.step += 1
            stopping = self.record is not None and stop.requested(Path(settings["folder"]))
            if torch.distributed.get_world_size() > 1:
                shares: list[tuple[list[str], bool]] = [([], False)] * torch.distributed.get_world_size()
                torch.distributed.all_gather_object(shares, (drawn, stopping))
                drawn = list(itertools.chain.from_iterable(items for items, _ in shares))
                stopping = shares[0][1]  # the first rank decides, so that all of them end at the same step
            if stopping:
                self.total_training_steps = self.step  # verl saves its last step, and ends
            if self.record is None:
                return
            metrics = tu.get(output, "metrics")
            names = {"loss": "loss/train", "grad_norm": "actor/grad_norm", "lr": "actor/lr"}
            values = {new: metrics[old] for old, new in names.items() if old in metrics}
            now = time.perf_counter()
            values |= {f"perf/{name}": metrics[f"perf/{name}"] for name in MEMORY if metrics.get(f"perf/{name}")}
            values |= {"time/update": seconds, "time/step": now - self.last, "loss/examples": len(drawn)}
            self.last = now
            self.record.drawn = drawn
            self.record.log(values, self.step)

        def _build_ckpt_handler(self) -> None:
            super()._build_ckpt_handler()
            save, load_order = self.ckpt_handler.save_checkpoint, self.ckpt_handler._load_dataloader_state

            def unless_epoch_ended(path: str) -> None:
                # A state taken at the end of an epoch yields one empty epoch, which would shift the order of all that follow.
                if int(str(path).rpartition("_")[2]) % len(self.train_dataloader):
                    load_order(path)

            self.ckpt_handler._load_dataloader_state = unless_epoch_ended

            def sealed(step: int) -> None:
                save(step)
                if self.rank == 0:
                    path = Path(self.config.trainer.default_local_dir) / f"global_step_{step}"
                    seal_and_prune(path, step, settings["keep_checkpoints"])

            self.ckpt_handler.save_checkpoint = sealed

        def fit(self) -> None:
            self.step = self.resume_global_step
            self.last = time.perf_counter()
            if self.record:
                self.record.ready()
            super().fit()
            if self.record:
                self.record.finish()

    config = verl_config.compose(verl_config.SFT_DEFAULTS, job["keys"], job["extra"])
    auto_set_device(config)
    initialize_global_process_group()
    WarmStartTrainer(config).fit()
    destroy_global_process_group()


def _main() -> None:
    _die_with_parent()  # torchrun starts ranks in sessions of their own
    if os.environ["WORLD_SIZE"] == "1":
        # A batch system signals every process of a job; the command asks this one to stop, and ends it if need be.
        signal.signal(signal.SIGTERM, lambda number, frame: None)
    job = json.loads(Path(sys.argv[1]).read_text())
    if os.environ["RANK"] == "0":
        with engine_lock(job["settings"]["folder"], WORKER):
            _work(job)
    else:
        _work(job)


if __name__ == "__main__":
    _main()
