"""mix: what would give evaluation away is found and refused, proportions are what was asked for, and every row is accounted for."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from made_items import content, drawing, encoded, item, picture, stored
from PIL import Image

from rl_align.cli import main
from rl_align.data.contamination import PAIR, PICTURE, PROMPT, Evaluation
from rl_align.data.dataset import open_dataset
from rl_align.data.fingerprint import look, text_key
from rl_align.data.items import read_items
from rl_align.data.proportions import Share, allot
from rl_align.errors import UserError

BLANK = encoded(Image.new("RGB", (112, 112), "white"))


def mixed(tmp_path, parts, against=(), *overrides, out="mix", **settings):
    """Exit code of `rl-align data mix`."""
    config = tmp_path / "mix.yaml"
    config.write_text(yaml.safe_dump({"parts": parts, "against": list(against), **settings}))
    return main(["data", "mix", str(config), "--out", str(tmp_path / out), *overrides])


def rows(tmp_path, out="mix"):
    return [i for path in open_dataset(tmp_path / out, hashes=True).files for i in read_items(path)]


def part(path, **fields):
    return {"path": str(path), **fields}


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def hits(training, *guarded):
    evaluation = Evaluation()
    for other in guarded:
        evaluation.add(other, "test")
    looks = [look(image) for image in training.images]
    return {hit.evaluation: hit.rule for hit in evaluation.hits(training, text_key(training.prompt), looks, "train")}


@pytest.mark.parametrize(
    ("training", "guarded", "rule"),
    [
        (item("t", "How do I do it?"), item("e", "how  do I\u200b do it"), PROMPT),
        (item("t", "How do I do it?", picture(1)), item("e", "How do I do it?"), PROMPT),
        (item("t", "How do I do it?"), item("e", "How do I undo it?"), None),
        (item("t", "What is this?"), item("e", "What is this?", picture(1)), None),
        (item("t", "What is this?", picture(2)), item("e", "What is this?", picture(1)), None),
        (item("t", "Describe.", picture(1)), item("e", "What is this?", picture(1)), PICTURE),
        (item("t", "Describe.", picture(2), picture(1)), item("e", "What is this?", picture(1), picture(3)), PICTURE),
        (item("t", "Describe.", BLANK), item("e", "What is this?", BLANK), None),
        (item("t", "What is this?", BLANK), item("e", "What is this?", BLANK), PAIR),
        (item("t", "What is this?", BLANK), item("e", "What is this?", BLANK, BLANK), None),
        (item("t", "!?", BLANK), item("e", "?!"), None),
        (item("t", "!?", BLANK), item("e", "!?"), PROMPT),
    ],
)
def test_the_rule_of_contamination(training, guarded, rule):
    assert hits(training, guarded) == ({} if rule is None else {"e": rule})


@pytest.mark.parametrize(
    ("file_format", "options"),
    [("JPEG", {"quality": 30}), ("JPEG", {"quality": 95}), ("WEBP", {"quality": 50}), ("BMP", {}), ("GIF", {})],
)
def test_recompressed_copies_are_found_and_no_other_picture_is(file_format, options):
    originals = [item(f"e{k}", f"Question {k}?", picture(k)) for k in range(25)]
    for k in range(25):
        copy = item("t", "Describe.", encoded(drawing(k), file_format, **options))
        assert hits(copy, *originals) == {f"e{k}": PICTURE}


def test_slightly_shrunk_copies_are_found():
    original = drawing(7, 448)
    small = original.resize((392, 392), Image.Resampling.LANCZOS)
    assert hits(item("t", "Describe.", encoded(small, "JPEG", quality=80)), item("e", "?", encoded(original))) == {"e": PICTURE}


def test_contamination_is_refused_with_the_list(tmp_path, capsys):
    copies = [item(f"t{k}", f"Say {k}.", encoded(drawing(k), "JPEG", quality=40)) for k in range(30)]
    train = stored(tmp_path / "train.parquet", *copies, item("clean", "?", picture(99)))
    evaluation = stored(tmp_path / "eval.parquet", *(item(f"e{k}", f"Ask {k}?", picture(k), split="test") for k in range(30)))
    assert mixed(tmp_path, [part(train)], [part(evaluation)]) == 2
    captured = capsys.readouterr()
    assert "give evaluation items away 30 times" in captured.err and captured.out.count("(picture)") == 20
    found = lines(tmp_path / "mix.contamination.jsonl")
    assert [(hit["evaluation"], hit["training"]) for hit in found] == [(f"e{k}", f"t{k}") for k in range(30)]
    assert not (tmp_path / "mix").exists()
    assert mixed(tmp_path, [part(train)], [part(evaluation)], "on_contamination=drop") == 0
    assert [i.id for i in rows(tmp_path)] == ["clean"]
    assert len(lines(tmp_path / "mix" / "contamination.jsonl")) == 30
    assert Counter(r["reason"] for r in lines(tmp_path / "mix" / "quarantine.jsonl")) == {"contaminated": 30}


def test_only_the_named_splits_are_guarded(tmp_path):
    both = stored(tmp_path / "both.parquet", item("a", "One?"), item("b", "Two?", split="test"))
    assert mixed(tmp_path, [part(both)], [part(both)]) == 2
    assert mixed(tmp_path, [part(both)], [part(both, splits=["test"])]) == 0
    assert mixed(tmp_path, [part(both)], [part(both, splits=["tset"])], out="other") == 2


def test_an_evaluation_picture_that_cannot_be_read_stops_the_mix(tmp_path, capsys):
    train = stored(tmp_path / "a.parquet", item("a"))
    torn = replace(picture(1), data=picture(1).data[:100])
    evaluation = stored(tmp_path / "e.parquet", item("e", "?", torn))
    assert mixed(tmp_path, [part(train)], [part(evaluation)]) == 2
    assert "cannot be kept out of training" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "split", "message"),
    [
        ("xstest", "train", "xstest is a benchmark"),
        ("mossbench", "train", "forbid training on it"),
        ("vlguard", "test", "is held out for evaluation"),
    ],
)
def test_what_is_no_training_data_is_refused_whatever_file_it_is_in(tmp_path, capsys, source, split, message):
    path = stored(tmp_path / "a.parquet", item("fine"), item("a", dataset=source, split=split))
    assert mixed(tmp_path, [part(path, splits=[])]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "mix").exists()


def test_the_manifest_of_a_benchmark_is_refused_even_after_a_split(tmp_path, capsys):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "xstest_prompts.csv").write_text("id,prompt,type,label\n1,How?,t,safe\n2,Why?,t,safe\n3,Who?,t,safe\n")
    assert main(["data", "prepare", "xstest", "--from", str(tmp_path / "x"), "--out", str(tmp_path / "y")]) == 0
    assert main(["data", "split", str(tmp_path / "y"), "--out", str(tmp_path / "z"), "--shares", "train=1"]) == 0
    capsys.readouterr()
    for folder in ("y", "z"):
        assert mixed(tmp_path, [part(tmp_path / folder)]) == 2
        assert "xstest is a benchmark" in capsys.readouterr().err


def test_weights_caps_and_the_order_of_parts(tmp_path):
    a = stored(tmp_path / "a.parquet", *(item(f"a{k}") for k in range(50)))
    b = stored(tmp_path / "b.parquet", *(item(f"b{k}") for k in range(20)))
    parts = [part(a, weight=2), part(b, weight=1, cap=15)]
    assert mixed(tmp_path, parts, rows_per_shard=10) == 0
    first = content(tmp_path / "mix")
    made = rows(tmp_path)
    assert Counter(i.id[0] for i in made) == {"a": 30, "b": 15} and {i.split for i in made} == {"train"}
    assert [i.id for i in made] != sorted(i.id for i in made)
    left = Counter(r["reason"] for r in lines(tmp_path / "mix" / "quarantine.jsonl"))
    assert left == {"not_drawn": 20, "over_limit": 5}
    assert mixed(tmp_path, parts, rows_per_shard=10) == 0 and content(tmp_path / "mix") == first
    assert mixed(tmp_path, parts, (), "seed=1", rows_per_shard=10) == 0 and content(tmp_path / "mix") != first


def test_epochs_repeat_rows_under_ids_of_their_own(tmp_path, capsys):
    a = stored(tmp_path / "a.parquet", *(item(f"a{k}") for k in range(10)))
    assert mixed(tmp_path, [part(a)], epochs=2.5, rows=25) == 0
    times = Counter(i.id.split("#")[0] for i in rows(tmp_path))
    assert sorted(times.values()) == [2] * 5 + [3] * 5 and len({i.id for i in rows(tmp_path)}) == 25
    assert mixed(tmp_path, [part(a)], epochs=2, rows=25) == 2
    assert "25 rows are asked for, 10 are there and may occur 2 times" in capsys.readouterr().err


def test_duplicates_are_left_out_and_equal_ids_are_told_apart(tmp_path):
    a = stored(tmp_path / "a.parquet", item("1", "One?"), item("2", "Two?", picture(1)))
    b = stored(tmp_path / "b.parquet", item("1", "Other?", twin="9"), item("9", "one"), item("8", "Two?", picture(1)))
    assert mixed(tmp_path, [part(a, weight=2), part(b)]) == 0
    made = {i.id: i for i in rows(tmp_path)}
    assert set(made) == {"1", "2", "1/1"} and made["1/1"].twin == "1/9"
    assert [r["reason"] for r in lines(tmp_path / "mix" / "quarantine.jsonl")] == ["duplicate", "duplicate"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"parts": []}, "no parts"),
        ({"parts": [{"weight": 1}]}, "parts"),
        ({"parts": [{"path": "A", "weight": 0}]}, "parts[0].weight"),
        ({"parts": [{"path": "A", "cap": 0}]}, "parts[0].cap"),
        ({"parts": [{"path": "A"}], "epochs": 0}, "epochs"),
        ({"parts": [{"path": "A"}], "rows": 0}, "rows"),
        ({"parts": [{"path": "A"}], "rows": 2}, "2 rows are asked for"),
        ({"parts": [{"path": "A", "splits": ["tain"]}]}, "no usable rows of tain"),
        ({"parts": [{"path": "nowhere"}]}, "nowhere"),
        ({"parts": [{"path": "A"}], "on_contamination": "ignore"}, "on_contamination"),
        ({"part": []}, "nearest valid key is parts"),
    ],
)
def test_bad_mixes_are_one_line(tmp_path, monkeypatch, capsys, settings, message):
    monkeypatch.chdir(tmp_path)
    stored(tmp_path / "A", item("a"))
    assert mixed(tmp_path, **{"parts": [], **settings}) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and not (tmp_path / "mix").exists()


@settings(deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(0, 200), st.floats(0.01, 100)), min_size=1, max_size=6),
    epochs=st.floats(0.1, 5),
    wanted=st.none() | st.integers(1, 500),
)
def test_proportions_are_exact_or_refused(parts, epochs, wanted):
    shares = [Share(str(k), rows, weight) for k, (rows, weight) in enumerate(parts)]
    try:
        taken = allot(shares, epochs, wanted)
    except UserError:
        return
    total, weights = sum(taken), sum(share.weight for share in shares)
    assert wanted in (None, total)
    for share, count in zip(shares, taken, strict=True):
        assert count <= share.rows * epochs and abs(count - share.weight / weights * total) < 1 + 1e-6
