"""The configuration: what it accepts, and one clear line for everything else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from fuzzing import few_and_many
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import MISSING

from rl_align.config import config_hash, load_config, to_yaml
from rl_align.errors import UserError


class Loss(Enum):
    TOKEN_MEAN = "token_mean"
    SEQ_MEAN = "seq_mean"


@dataclass
class Partner:
    url: str = "http://127.0.0.1:8000"
    retries: int = 3


@dataclass
class Grpo:
    steps: int = 10
    lr: float = 1e-5
    mask_truncated: bool = False
    loss: Loss = Loss.TOKEN_MEAN
    weights: dict[str, float] = field(default_factory=lambda: {"citation": 1.0})
    clip: list[float] = field(default_factory=lambda: [0.2, 0.28])
    partner: Partner | None = None

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"grpo.steps is {self.steps}; it cannot be negative")


@dataclass
class Run:
    seed: int = 0
    name: str = "run"
    grpo: Grpo = field(default_factory=Grpo)
    partners: list[Partner] = field(default_factory=list)
    seats: dict[str, Partner] = field(default_factory=dict)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _error(*arguments: Any) -> str:
    with pytest.raises(UserError) as caught:
        load_config(*arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_defaults_file_and_overrides_in_this_order(tmp_path):
    path = _write(tmp_path / "a.yaml", "seed: 1\nname: file\ngrpo:\n  lr: 1e-6\n  steps: 20\n")
    config = load_config(Run, path, ["seed=2", "grpo.steps=0x10"])
    assert config == Run(seed=2, name="file", grpo=Grpo(lr=1e-6, steps=16))
    assert isinstance(config.grpo, Grpo)
    assert load_config(Run) == Run()


def test_types_that_yaml_writes_differently(tmp_path):
    config = load_config(Run, None, ["grpo.loss=seq_mean", "grpo.clip=[0.1,0.2]", "grpo.weights.format=2", "name=007"])
    assert config.grpo.loss is Loss.SEQ_MEAN
    assert config.grpo.clip == [0.1, 0.2]
    assert config.grpo.weights == {"citation": 1.0, "format": 2.0}
    assert load_config(Run, None, ["grpo.loss=TOKEN_MEAN"]).grpo.loss is Loss.TOKEN_MEAN
    assert load_config(Run, None, ["name=a=b"]).name == "a=b"


def test_an_optional_section_that_is_null_by_default_can_be_filled_and_emptied(tmp_path):
    path = _write(tmp_path / "a.yaml", "grpo:\n  partner:\n    retries: 5\n")
    assert load_config(Run, path).grpo.partner == Partner(retries=5)
    assert load_config(Run, path, ["grpo.partner=null"]).grpo.partner is None
    assert load_config(Run, None, ["seats.judge.retries=7"]).seats == {"judge": Partner(retries=7)}
    assert load_config(Run, None, ["partners=[{retries: 1}, {}]"]).partners == [Partner(retries=1), Partner()]


def test_a_base_is_merged_first_and_found_relative_to_the_file(tmp_path):
    _write(tmp_path / "bases/one.yaml", "seed: 1\ngrpo: {steps: 1, lr: 0.5}\n")
    _write(tmp_path / "bases/two.yaml", "base: one.yaml\ngrpo: {steps: 2}\n")
    path = _write(tmp_path / "top.yaml", "base: bases/two.yaml\nname: top\n")
    assert load_config(Run, path) == Run(seed=1, name="top", grpo=Grpo(steps=2, lr=0.5))


def test_bases_that_go_in_a_circle_or_are_missing_are_refused(tmp_path):
    _write(tmp_path / "a.yaml", "base: b.yaml\n")
    path = _write(tmp_path / "b.yaml", "base: a.yaml\n")
    assert "circle" in _error(Run, path)
    assert "gone.yaml" in _error(Run, _write(tmp_path / "c.yaml", "seed: 1\nbase: gone.yaml\n"))
    assert "c.yaml:2" in _error(Run, tmp_path / "c.yaml")
    assert "base is 3" in _error(Run, _write(tmp_path / "d.yaml", "base: 3\n"))


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("grpo.step", "grpo.steps"),
        ("sed", "seed"),
        ("lr", "grpo.lr"),
        ("grpo.partner.retry", "grpo.partner.retries"),
        ("+seed", "seed"),
        ("qqq", "seed"),
    ],
)
def test_an_unknown_key_names_the_nearest_valid_one(key, nearest):
    message = _error(Run, None, [f"{key}=1"])
    assert f"unknown key {key}" in message
    if key != "qqq":
        assert message.endswith(f"the nearest valid key is {nearest}")


def test_an_unknown_key_in_a_file_names_file_and_line(tmp_path):
    _write(tmp_path / "base.yaml", "grpo:\n  steps: 3\n  lrr: 1\n")
    path = _write(tmp_path / "a.yaml", "base: base.yaml\nseed: 1\n")
    message = _error(Run, path)
    assert "base.yaml:3" in message and "unknown key grpo.lrr" in message and "grpo.lr" in message
    assert "unknown key partners" not in message


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("grpo.steps=ten", ["grpo.steps", "'ten'", "int"]),
        ("grpo.steps=1.5", ["grpo.steps", "1.5", "int"]),
        ("grpo.steps=null", ["grpo.steps", "None", "int"]),
        ("grpo.lr=fast", ["grpo.lr", "float"]),
        ("grpo.lr=.nan", ["grpo.lr", "not a number", "float"]),
        ("grpo.mask_truncated=maybe", ["bool"]),
        ("grpo.loss=median", ["median", "one of token_mean, seq_mean"]),
        ("grpo.clip=[a]", ["grpo.clip", "a list of float"]),
        ("grpo.clip=3", ["grpo.clip", "a list of float"]),
        ("grpo.weights.format=x", ["grpo.weights.format", "float"]),
        ("grpo=3", ["grpo", "section"]),
        ("seed={a: 1}", ["seed", "int"]),
        ("seed=[1", ["cannot be read"]),
        ("partners=[{retry: 1}]", ["unknown key retry", "retries"]),
        ("partners=[3]", ["partners[0]", "section"]),
        ("seats.judge.retry=1", ["unknown key seats.judge.retry"]),
        ("seats.judge=1", ["seats.judge", "Partner"]),
        ("grpo.steps=-1", ["cannot be negative"]),
        ("name=${nowhere}", ["nowhere"]),
        ("seed", ["key=value"]),
        ("=1", ["key=value"]),
        ("seed = 1", ["key=value"]),
    ],
)
def test_a_bad_value_names_the_key_the_value_and_the_type(override, parts):
    message = _error(Run, None, [override])
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("seed: 1\ngrpo: [1\n", "a.yaml:3"),
        ("seed: 1\nseed: 2\n", "duplicate"),
        ("- a\n- b\n", "not a mapping"),
        ("just words\n", "not a mapping"),
        ("seed: 1\nname: [x]\n", "a.yaml:2"),
        ("1: 2\n", "unknown key 1"),
        ("yes: 2\n", "unknown key"),
        ("a: &a [*a]\n", "a.yaml"),
    ],
)
def test_a_broken_file_is_one_line_with_its_place(tmp_path, text, part):
    assert part in _error(Run, _write(tmp_path / "a.yaml", text))


def test_a_file_that_is_missing_or_not_text(tmp_path):
    assert "no such file" in _error(Run, tmp_path / "gone.yaml")
    assert "cannot read" in _error(Run, tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in _error(Run, tmp_path / "b.yaml")
    assert load_config(Run, _write(tmp_path / "empty.yaml", "# nothing\n")) == Run()


def test_a_value_without_default_must_be_given():
    @dataclass
    class Needy:
        model: str = MISSING

    assert "no value for model" in _error(Needy)
    assert load_config(Needy, None, ["model=m"]).model == "m"


def test_yaml_round_trip(tmp_path):
    config = load_config(Run, None, ["seed=3", "grpo.partner={retries: 9}", "grpo.loss=seq_mean", "name='1e3'"])
    assert load_config(Run, _write(tmp_path / "a.yaml", to_yaml(config))) == config


def test_the_hash_depends_on_content_alone():
    assert config_hash(Run()) == config_hash(load_config(Run))
    assert config_hash(Run()) != config_hash(Run(seed=1))
    one, other = {"a": 1, "b": [Loss.SEQ_MEAN, Path("x"), None]}, {"b": ("seq_mean", "x", None), "a": 1}
    assert config_hash(one) == config_hash(other)
    assert config_hash([1, 2]) != config_hash([2, 1])
    with pytest.raises(TypeError):
        config_hash({"a": object()})


@few_and_many(20, 60)
def test_any_override_is_a_config_or_a_user_error(examples):
    @settings(deadline=None, max_examples=examples)
    @given(st.text(max_size=30))
    def try_it(text):
        try:
            assert isinstance(load_config(Run, None, [text]), Run)
        except UserError as error:
            assert str(error)

    try_it()


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(["seed", "name", "grpo", "grpo.lr", "grpo.clip", "grpo.weights", "seats"]), st.text(max_size=20))
def test_any_value_is_a_config_or_a_user_error(key, value):
    try:
        assert isinstance(load_config(Run, None, [f"{key}={value}"]), Run)
    except UserError as error:
        assert str(error)
