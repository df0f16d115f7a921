"""What the matrix crosses with what. Importable without Inspect, torch or vllm."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from rl_align.endpoints.serving_config import DEVICES, ServerConfig
from rl_align.errors import UserError

#: Names the evaluated model itself as a defence's partner.
TARGET = "target"
#: How requests are sampled: as vLLM understands it, or with nothing that other endpoints do not know.
SAMPLINGS = ("vllm", "openai")


@dataclass
class ModelConfig:
    """A model: a folder that is served here, or somebody's endpoint.

    Attributes:
        path: Hugging Face folder, served by vLLM while it is needed.
        from_run: Instead of `path`: a model of the run that the matrix names, such as base, sft, grpo, rewriter_grpo.
        base_url: Instead of a folder: address of an endpoint, up to and including `/v1`.
        model: Name under which the endpoint serves it.
        api_key_env: Environment variable that holds the endpoint's key.
        tokenizer: Folder of an endpoint's model that holds its tokenizer.json: its special tokens are then neutralised in prompts.
        revision: Anything that tells two states of an endpoint's model apart: another one drops what the first answered.
        sampling: vllm or openai; vllm also switches off what a model's own generation_config.json would set.
        concurrency: Requests in flight at it; the matrix's by default.
        server: How a folder is served, where it differs from the matrix's.
        price_prompt: Money for a million tokens read.
        price_completion: Money for a million tokens written.
    """

    path: Optional[str] = None  # noqa: UP045 (OmegaConf reads the annotations at run time)
    from_run: Optional[str] = None  # noqa: UP045
    base_url: Optional[str] = None  # noqa: UP045
    model: str = ""
    api_key_env: Optional[str] = None  # noqa: UP045
    tokenizer: Optional[str] = None  # noqa: UP045
    revision: str = ""
    sampling: str = "vllm"
    concurrency: Optional[int] = None  # noqa: UP045
    server: Optional[ServerConfig] = None  # noqa: UP045
    price_prompt: float = 0.0
    price_completion: float = 0.0


@dataclass
class DefenceConfig:
    """A defence.

    Attributes:
        kind: Name of its file in `eval/defences/`, or a Python file or module of yours with a solver of the same name.
        settings: Arguments of its solver, such as `{on_failure: open}`; without the models, addresses and the seed.
        partners: Role (guard, detector, rewriter, scorer) → a model or partner of the matrix, or `target`.
    """

    kind: str = "none"
    settings: dict[str, Any] = field(default_factory=dict)
    partners: dict[str, str] = field(default_factory=dict)


@dataclass
class BenchmarkConfig:
    """A benchmark.

    Attributes:
        task: Name of its file in `eval/tasks/`, or a Python file or module of yours with a `benchmark`.
        data: Folder of a local copy, a dataset, or for pictograms a parquet file.
        from_run: Instead of `data`: a split of the run that the matrix names, such as heldout_combinations.
        options: What the task takes (`rl_align.eval.options.Options` and its own). More than one seed needs a temperature.
        attack: The rate that is attack success in comparisons; `1-name` for one minus a rate. By default the benchmark's own.
        over_refusal: The same for over-refusal.
    """

    task: str = "pictograms"
    data: Optional[str] = None  # noqa: UP045
    from_run: Optional[str] = None  # noqa: UP045
    options: dict[str, Any] = field(default_factory=dict)
    attack: Optional[str] = None  # noqa: UP045
    over_refusal: Optional[str] = None  # noqa: UP045


@dataclass
class JudgeChoice:
    """Who judges. Fields as `judge_*`, `calibration` and `allow_training_judge` of `rl_align.eval.options.Options`."""

    base_url: Optional[str] = None  # noqa: UP045
    model: Optional[str] = None  # noqa: UP045
    api_key_env: Optional[str] = None  # noqa: UP045
    cache: Optional[str] = None  # noqa: UP045
    votes: Optional[int] = None  # noqa: UP045
    config: Optional[str] = None  # noqa: UP045
    calibration: Optional[str] = None  # noqa: UP045
    allow_training_judge: bool = False


@dataclass
class GridConfig:
    """A matrix.

    Attributes:
        out: Folder of the answers, `results.json` and the report.
        run: Run folder that `from_run` looks into; its training judge is refused.
        models: Name → model under evaluation.
        partners: Name → further models, for defences.
        defences: Name → defence.
        benchmarks: Name → benchmark.
        seeds: Of sampling. A greedy benchmark is asked once, with the first one.
        judge: Who judges.
        baseline: The defence that others are compared with.
        concurrency: Requests in flight at one model.
        tasks_at_once: Cells that are asked at the same time.
        servers_at_once: Folders that are served side by side; more where one cell alone needs more. 1 on a GPU; on a CPU as many as
            memory allows (2.5 GB each for a tiny model).
        server: How folders are served.
        attempts: Requests of one call that may fail, where another one may do better.
        backoff_s: Pause after a failed request, doubled after every further one; `Retry-After` is obeyed up to a minute.
        give_up_after: A model behind a defence of which this many samples in a row failed is given up in this run.
        request_timeout_s: Longest time for one request.
        draws: Of the bootstrap.
        figures: Whether the report has figures.
        tokens_per_second: Of one served model, for the estimate of `--dry-run` alone.
    """

    out: str = "runs/matrix"
    run: Optional[str] = None  # noqa: UP045
    models: dict[str, ModelConfig] = field(default_factory=dict)
    partners: dict[str, ModelConfig] = field(default_factory=dict)
    defences: dict[str, DefenceConfig] = field(default_factory=lambda: {"none": DefenceConfig()})
    benchmarks: dict[str, BenchmarkConfig] = field(default_factory=dict)
    seeds: list[int] = field(default_factory=lambda: [0])
    judge: JudgeChoice = field(default_factory=JudgeChoice)
    baseline: str = "none"
    concurrency: int = 128
    tasks_at_once: int = 4
    servers_at_once: int = 1
    server: ServerConfig = field(default_factory=ServerConfig)
    attempts: int = 4
    backoff_s: float = 0.5
    give_up_after: int = 32
    request_timeout_s: float = 600.0
    draws: int = 2000
    figures: bool = True
    tokens_per_second: float = 2000.0

    @property
    def everyone(self) -> dict[str, ModelConfig]:
        """Models and partners."""
        return {**self.models, **self.partners}


def check(cfg: GridConfig) -> None:
    """Raises UserError for the first setting that cannot work, whatever data there is."""
    for name in ("models", "defences", "benchmarks", "seeds"):
        if not getattr(cfg, name):
            raise UserError("nothing is named", where=name, expected="one or more")
    if len(set(cfg.seeds)) < len(cfg.seeds):
        raise UserError(f"are {cfg.seeds}", where="seeds", expected="every seed once")
    for key in (
        "concurrency",
        "tasks_at_once",
        "servers_at_once",
        "attempts",
        "give_up_after",
        "request_timeout_s",
        "draws",
        "tokens_per_second",
    ):
        if not getattr(cfg, key) > 0:
            raise UserError(f"is {getattr(cfg, key)}", where=key, expected="a positive number")
    if len(cfg.defences) > 1 and cfg.baseline not in cfg.defences:
        expected = f"one of {', '.join(cfg.defences)}: the others are compared with it"
        raise UserError(f"is {cfg.baseline!r}, which is none of the defences", where="baseline", expected=expected)
    if twice := sorted(set(cfg.models) & set(cfg.partners)):
        raise UserError(f"{twice[0]!r} is a model and a partner", where="partners", expected="names of their own")
    for name, model in cfg.everyone.items():
        _check_model(model, f"{'models' if name in cfg.models else 'partners'}.{name}", cfg)
    for name, defence in cfg.defences.items():
        for role, partner in defence.partners.items():
            if partner != TARGET and partner not in cfg.everyone:
                known = ", ".join([*cfg.everyone, TARGET])
                raise UserError(f"is {partner!r}", where=f"defences.{name}.partners.{role}", expected=f"one of {known}")
    for name, benchmark in cfg.benchmarks.items():
        if (benchmark.data is None) == (benchmark.from_run is None):
            raise UserError("has to say where its items are", where=f"benchmarks.{name}", expected="either data or from_run")
        if benchmark.from_run is not None and cfg.run is None:
            raise UserError("names a split of a run", where=f"benchmarks.{name}.from_run", fix="name the run: run=runs/…")


def _check_model(model: ModelConfig, where: str, cfg: GridConfig) -> None:
    places = [key for key in ("path", "from_run", "base_url") if getattr(model, key)]
    if len(places) != 1:
        what = f"names {' and '.join(places) or 'no place'}"
        raise UserError(what, where=where, expected="one of path, from_run, base_url")
    if model.base_url and not model.model:
        raise UserError("names no model", where=f"{where}.model", expected="the name under which the endpoint serves it")
    if model.base_url and not model.base_url.startswith(("http://", "https://")):
        raise UserError(f"is {model.base_url!r}", where=f"{where}.base_url", expected="an address up to and including /v1")
    if model.base_url and "@" in model.base_url.split("://", 1)[1].split("/", 1)[0]:
        raise UserError("holds credentials", where=f"{where}.base_url", fix="put the key into the environment: api_key_env")
    if model.from_run and cfg.run is None:
        raise UserError("names a model of a run", where=f"{where}.from_run", fix="name the run: run=runs/…")
    if model.sampling not in SAMPLINGS:
        raise UserError(f"is {model.sampling!r}", where=f"{where}.sampling", expected=" or ".join(SAMPLINGS))
    if model.concurrency is not None and model.concurrency < 1:
        raise UserError(f"is {model.concurrency}", where=f"{where}.concurrency", expected="1 or more")
    if model.price_prompt < 0 or model.price_completion < 0:
        raise UserError("is negative", where=f"{where}.price", expected="money for a million tokens")
    device = (model.server or cfg.server).device
    if device not in DEVICES:
        raise UserError(f"is {device!r}", where=f"{where}.server.device", expected=" or ".join(DEVICES))
