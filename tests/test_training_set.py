"""A run trains on a prepared dataset: what is taken, what is refused, and that the stages before the engine read it."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from dataset_files import picture, tree
from made_items import drawing, encoded, item, stored

from rl_align.cli import main
from rl_align.config import load_config
from rl_align.data import training_set
from rl_align.data.building import building
from rl_align.data.items import read_items
from rl_align.data.quarantine import Quarantine
from rl_align.data.training_set import TrainingSetConfig
from rl_align.errors import UserError
from rl_align.pipeline.config import RunConfig, resolve
from rl_align.pipeline.run import Run, run

PLAIN = "experiments/pictograms/real_inputs.yaml"
TRANSCRIPT = "<think>\nIt is.\n</think>\n### Risk Assessment:\nNo policy is violated.\n### Normal Response\nIt is a square."


def dataset(path, *items, **meta):
    """A dataset with a manifest."""
    with building(path, {"name": "test"}, 4) as made:
        for one in items:
            made.shards.add(one)
        made.meta |= {"use": "train", "held_out": [], "source": "own"} | meta
    return path


def config(path, *overrides):
    return resolve(load_config(RunConfig, PLAIN, ["source=dataset", f"dataset.path={path}", *overrides]))


def loaded(path, **settings):
    quarantine = Quarantine()
    return [one.id for one in training_set.load(TrainingSetConfig(path=str(path), **settings), quarantine)], quarantine.counts


def ten(split="train"):
    return [item(f"{split}-{k}", split=split) for k in range(10)]


def test_the_named_splits_are_taken_and_rows_are_drawn_by_the_seed(tmp_path):
    path = dataset(tmp_path / "d", *ten(), *ten("test"), held_out=["test"])
    everything, dropped = loaded(path)
    assert everything == [f"train-{k}" for k in range(10)] and dropped == {}
    assert loaded(path, splits=[])[0] == everything
    some, dropped = loaded(path, rows=4)
    assert len(some) == 4 and dropped == {"over_limit": 6} and some == [name for name in everything if name in some]
    assert loaded(path, rows=4)[0] == some != loaded(path, rows=4, seed=1)[0]
    assert len(loaded(path, splits=["test"], benchmarks=True)[0]) == 10


@pytest.mark.parametrize(
    ("meta", "settings", "message"),
    [
        ({"held_out": ["test"]}, {"splits": ["test"]}, "the split test is held out for evaluation"),
        ({}, {"splits": ["val"]}, "no split val; expected some of test, train"),
        ({"use": "evaluation only", "source": "siuo"}, {}, "siuo is a benchmark"),
        ({"use": "test only", "source": "mossbench"}, {"benchmarks": True}, "mossbench is for tests only"),
        ({}, {"rows": 0}, "dataset.rows: 0 rows"),
    ],
)
def test_what_a_run_must_not_train_on_is_refused_before_it_starts(tmp_path, meta, settings, message):
    path = dataset(tmp_path / "d", *ten(), *ten("test"), **meta)
    with pytest.raises(UserError, match=message):
        training_set.check(TrainingSetConfig(path=str(path), **settings))


@pytest.mark.parametrize(("source", "split"), [("siuo", "gen"), ("vlguard", "test")])
def test_rows_of_benchmarks_are_refused_whatever_file_they_are_in(tmp_path, source, split):
    path = stored(tmp_path / "a.parquet", item("a"), item("b", dataset=source, split=split))
    with pytest.raises(UserError, match=f"{source} is a benchmark|held out"):
        loaded(path, splits=[])
    assert loaded(path, splits=[], benchmarks=True)[0] == ["a", "b"]
    moss = stored(tmp_path / "b.parquet", item("c", dataset="mossbench"))
    with pytest.raises(UserError, match="its makers forbid training on it"):
        loaded(moss, benchmarks=True)


def test_a_file_that_was_changed_after_its_manifest_is_refused(tmp_path):
    path = dataset(tmp_path / "d", *ten())
    shard = next(path.glob("*.parquet"))
    data = bytearray(shard.read_bytes())
    data[200] ^= 1
    shard.write_bytes(data)
    with pytest.raises(UserError, match="what its manifest says"):
        loaded(path)


def test_pictures_are_brought_to_the_size_of_the_run(tmp_path):
    path = dataset(tmp_path / "d", item("a", "", encoded(drawing(1, 336))))
    cfg = TrainingSetConfig(path=str(path))
    for most, side in ((12_544, 112), (1_003_520, 336)):
        cfg.image.max_pixels = most
        (one,) = training_set.load(cfg, Quarantine())
        assert one.images[0].decode().size == (side, side)


def test_the_dry_run_says_what_is_trained_on(tmp_path, capsys):
    path = dataset(tmp_path / "d", *ten(), *ten("test"), held_out=["test"])
    overrides = ["source=dataset", f"folder={tmp_path / 'r'}", "grpo.steps=5"]
    run(PLAIN, [*overrides, f"dataset.path={path}", "dataset.rows=8"], dry_run=True)
    said = capsys.readouterr().out
    assert f"# data: {path}: 8 of 10 rows of train; datasets own 10; licences unknown 10; GRPO asks 80 prompts, 10.0 times" in said
    assert "# stage data: runs (first time)" in said and not (tmp_path / "r").exists()
    stored(tmp_path / "a.parquet", *ten())
    run(PLAIN, [*overrides, f"dataset.path={tmp_path / 'a.parquet'}"], dry_run=True)
    assert "1 files without a manifest" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["source=dataset"], "dataset.path: no dataset is named; .*rl-align data mix"),
        (["source=dataset", "dataset.path=nowhere"], "dataset.path=nowhere: no such file or folder"),
        (["source=dataset", "dataset.path=nowhere", "evaluate=true"], "evaluate: only the pictograms"),
        (["source=dataset", "dataset.path=nowhere", "seats=[rewriter]"], "seats: .*pictograms only"),
        (["source=dataset", "dataset.paths=x"], "dataset.path"),
    ],
)
def test_settings_that_cannot_work_are_named(overrides, message):
    with pytest.raises(UserError, match=message):
        resolve(load_config(RunConfig, PLAIN, overrides))


def test_a_stage_depends_on_what_a_dataset_holds_and_not_on_where_it_lies(tmp_path):
    """Lock: a moved dataset trains nothing again, and runs on other sources do not know this section."""
    first, second = dataset(tmp_path / "a", *ten()), dataset(tmp_path / "b", *ten())
    (one, *_), (other, *_) = Run(config(first)).stages(), Run(config(second)).stages()
    assert one.config_part == other.config_part and [path.name for path in one.inputs] == ["manifest.json"]
    assert Run(config(first, "dataset.rows=3")).stages()[0].config_part != one.config_part
    plain = [Run(resolve(load_config(RunConfig, PLAIN, ["real_inputs.sources=[special]", *o]))) for o in ([], ["dataset.rows=3"])]
    assert plain[0].stages()[0].config_part == plain[1].stages()[0].config_part


def test_from_a_copy_to_rows_for_the_engine(tmp_path, capsys):
    """prepare → mix → the stages before the engine, with a warm start where the items brought their transcripts."""
    copy = tmp_path / "copy"
    picture(copy / "images" / "0.png")
    rows = [{"image": "images/0.png", "question": f"What is it, {k}?", "response": TRANSCRIPT} for k in range(20)]
    tree(copy / "train.json", rows)
    prepared, mixed = tmp_path / "prepared", tmp_path / "mixed"
    assert main(["data", "prepare", "msr_align", "--from", str(copy), "--out", str(prepared), "image.max_pixels=12544"]) == 0
    (tmp_path / "mix.yaml").write_text(f"parts: [{{path: {prepared}}}]\n")
    assert main(["data", "mix", str(tmp_path / "mix.yaml"), "--out", str(mixed)]) == 0
    overrides = [f"folder={tmp_path / 'run'}", "warm_start=true", "dataset.rows=18", "model.size=1m", "model.vocab_size=512"]
    work = Run(config(mixed, *overrides, "sft.max_tokens=512"))
    for stage in work.stages()[:3]:
        stage.run()
        assert all(path.exists() for path in stage.outputs), stage.name
    assert [stage.name for stage in work.stages()] == ["data", "model", "rows", "sft", "grpo"]
    assert len(read_items(work.data / "train.parquet")) == 18
    dropped = [json.loads(line) for line in (work.data / "dropped-items.jsonl").read_text().splitlines()]
    assert [d["reason"] for d in dropped] == ["over_limit"] * 2
    sft = pq.read_table(work.data / "sft.parquet").to_pylist()
    assert len(sft) == 18 and sft[0]["messages"][-1]["content"] == TRANSCRIPT
    assert pq.read_table(work.data / "grpo.parquet").num_rows == 18


def test_a_warm_start_needs_transcripts(tmp_path):
    work = Run(config(dataset(tmp_path / "d", *ten()), f"folder={tmp_path / 'run'}", "warm_start=true"))
    work.make_data()
    with pytest.raises(UserError, match="no item came with a transcript.*warm_start=false"):
        work.make_model()
