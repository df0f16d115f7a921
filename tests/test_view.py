"""The browser of run folders: what it reads, what it says of answers and rollouts, what it does about damage and hostile texts."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_run import HOSTILE, PERFECT, SPLIT, add_matrix, add_rollouts, add_split, mistaken, world
from PIL import Image

from rl_align.cli import main
from rl_align.data.items import write_items
from rl_align.data.untrusted import hidden
from rl_align.errors import UserError
from rl_align.eval.metrics import measure, measure_rewrites
from rl_align.eval.records import outcomes
from rl_align.pictograms import teacher
from rl_align.policy.catalogue import Catalogue
from rl_align.report.view.answers import find_answers
from rl_align.report.view.citing import check, table
from rl_align.report.view.detail import response_hop, rewrite_hop
from rl_align.report.view.facets import MAX_VALUES, OTHER, Facet
from rl_align.report.view.outcomes import of_rollout
from rl_align.report.view.reading import RunFolder
from rl_align.report.view.texts import MAX_RUNS, Mark, runs
from rl_align.schema import Citation, Item
from rl_align.transcript.responder import render_response

ANSWERS, ROLLOUTS = f"answers/{SPLIT}/greedy", "rollouts/grpo"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Answers of two models and of a target behind a rewriter, and four steps of training."""
    folder = tmp_path_factory.mktemp("runs") / "made"
    items, train = world(24, SPLIT), world(16)
    add_split(folder, SPLIT, items, {"sft": mistaken, "grpo": lambda item: teacher.transcript(item, PERFECT)})
    add_matrix(folder, SPLIT, items[:10])
    write_items(folder / "data" / "train.parquet", train)
    add_rollouts(folder, train, steps=4, groups=4)
    return folder


@pytest.fixture(scope="module")
def run(folder) -> RunFolder:
    return RunFolder(folder)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8", errors="surrogatepass").splitlines()]


def named(index: dict, id: str) -> list[list[str]]:
    """The values of a facet in words."""
    facet = next(f for f in index["facets"] if f["id"] == id)
    return [[facet["values"][k] for k in (value if isinstance(value, list) else [value])] for value in facet["data"]]


def words(list_of_runs: list) -> str:
    return "".join(run[0] for run in list_of_runs)


def test_the_lists_of_a_run(run):
    told = run.overview()
    assert [s["id"] for s in told["sections"]] == [ANSWERS, ROLLOUTS] and told["notes"] == []
    index = run.index(ANSWERS)
    assert index["columns"] == ["sft", "grpo", "target behind none", "target behind sft"]
    assert len(index["units"]["key"]) == 24 and len(index["records"]["column"]) == 2 * 24 + 2 * 10
    assert [n for n in index["notes"] if "10 of 24 items" in n] == index["notes"] and len(index["notes"]) == 2
    for one in (index, run.index(ROLLOUTS)):
        units, records = len(one["units"]["key"]), len(one["records"]["column"])
        assert one["units"]["start"][0] == 0 and one["units"]["start"][-1] == records
        assert {len(column) for column in one["records"].values()} == {records}
        assert all(len(f["data"]) == {"unit": units, "record": records}[f["per"]] for f in one["facets"])
    with pytest.raises(KeyError):
        run.index("answers/../../x/greedy")
    with pytest.raises(KeyError):
        run.unit(ANSWERS, "nobody")


def test_outcomes_are_those_that_were_measured(folder, run):
    """Lock: the page counts what the tables of the report count, behind rewriters as well."""
    index = run.index(ANSWERS)
    told = named(index, "outcome")
    for column, place in enumerate(("sft", "grpo", "matrix/target+none", "matrix/target+sft")):
        rows = lines(folder / "eval" / place / SPLIT / "greedy.jsonl")
        mine = [names for names, c in zip(told, index["records"]["column"], strict=True) if c == column]
        if place.startswith("matrix"):
            measured = measure_rewrites(rows, [])
        else:
            measured = measure(outcomes(rows))
            assert sum(names == ["right"] for names in mine) > 0
        assert sum("attack success" in names for names in mine) == round((measured["attack_success"] or 0) * measured["n_harmful"])
        assert sum("over-refusal" in names for names in mine) == round((measured["over_refusal"] or 0) * measured["n_twins"])
        assert sum("unparsed" in names for names in mine) == round(measured["unparsed"] * len(rows))
    sft = [names for names, c in zip(told, index["records"]["column"], strict=True) if c == 0]
    assert {"attack success", "unparsed", "wrong citation"} <= {name for names in sft for name in names}


def test_filters_by_item_are_those_of_the_parquet_file(run):
    index, items = run.index(ANSWERS), {item.id: item for item in world(24, SPLIT)}
    order = [items[key] for key in index["units"]["key"]]
    assert order == list(items.values())
    assert named(index, "harm") == [["harmful" if item.harmful else "benign"] for item in order]
    assert named(index, "category") == [[item.category] for item in order]
    assert named(index, "policy") == [list(item.policies) or ["none"] for item in order]
    assert named(index, "expected") == [[b.value for b in item.expected] for item in order]


def test_a_row_compares_models_and_shows_the_rewriter_first(run):
    key = run.index(ANSWERS)["units"]["key"][0]
    row = run.unit(ANSWERS, key)
    item = world(1, SPLIT)[0]
    assert words(row["item"]["prompt"]) == item.prompt and row["item"]["expected"] == [b.value for b in item.expected]
    assert [record["title"] for record in row["records"]] == ["sft", "grpo", "target behind none", "target behind sft"]
    assert [[hop["seat"] for hop in record["hops"]] for record in row["records"]][2:] == [["responder"], ["rewriter", "responder"]]
    grpo = row["records"][1]
    assert [block["id"] for block in grpo["hops"][0]["blocks"]] == ["think", "description", "assessment", "answer"]
    assert words(grpo["hops"][0]["raw"]) == teacher.transcript(item, PERFECT)
    assert grpo["hops"][0]["behaviour"] == {"shown": item.expected[0].value, "right": True, "fake": False}
    rewriter = row["records"][3]["hops"][0]
    assert [block["id"] for block in rewriter["blocks"]] == ["threat", "intent", "rewrite"]


def test_a_group_shows_rewards_components_and_judges(folder, run):
    index = run.index(ROLLOUTS)
    assert index["units"]["step"] == sorted(index["units"]["step"]) and len(index["units"]["key"]) == 16
    assert index["columns"] == [str(k) for k in range(1, 9)]
    written = {(r["step"], r["group"], r["session"]): r for p in (folder / "rollouts").glob("step_*.jsonl") for r in lines(p)}
    key = index["units"]["key"][0]
    step, group = int(key.split("/")[0]), key.split("/")[1]
    row = run.unit(ROLLOUTS, key)
    assert row["step"] == 1 and row["item"]["known"]
    for k, record in enumerate(row["records"]):
        wanted = written[step, group, k]
        assert (record["reward"]["reward"], record["reward"]["advantage"]) == (wanted["reward"], wanted["advantage"])
        assert {c["name"]: c["score"] for c in record["reward"]["components"]} == wanted["breakdown"]
        assert record["reward"]["truth"] == wanted["truth"] and words(record["hops"][0]["raw"]) == wanted["text"]
    texts = [written[step, group, k]["text"] for k in range(8)]
    firsts = [texts.index(text) for text in texts]
    assert [record["same"] for record in row["records"]] == [None if first == k else first + 1 for k, first in enumerate(firsts)]
    assert [(j["name"], j["label"], words(j["reason"])) for j in row["records"][0]["judges"]] == [
        ("refusal", "none", "The answer does not decline.")
    ]
    length = next(c for c in row["records"][0]["reward"]["components"] if c["name"] == "length")
    assert (length["low"], length["high"]) == (-1.0, 0.0)
    spread = dict(zip(index["units"]["key"], named(index, "rewards"), strict=True))
    rewards = {written[step, group, k]["reward"] for k in range(8)}
    assert spread[key] == ["differ" if len(rewards) > 1 else "all equal"]


def test_episodes_of_two_seats_stand_together(tmp_path):
    rows = [("responder", 0, 0.5), ("rewriter", 10, 0.2), ("responder", 10, 0.1), ("responder", 2, 0.3), ("rewriter", 2, 0.9)]
    place = tmp_path / "rollouts" / "shared"
    place.mkdir(parents=True)
    told = [{"step": 1, "item_id": "i", "session": s, "seat": seat, "text": f"{seat} {s}", "reward": r, "prompt": "p", "group": "g",
             "status": "ok", "breakdown": {"format": 1.0}} for seat, s, r in rows]  # fmt: skip
    (place / "step_00001.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    row = RunFolder(tmp_path).unit("rollouts/shared", "1/g")
    expected = [("responder", 0), ("rewriter", 2), ("responder", 2), ("rewriter", 10), ("responder", 10)]
    assert [record["title"] for record in row["records"]] == [f"{seat} in episode {session}" for seat, session in expected]
    assert not row["item"]["known"]
    assert words(row["item"]["prompt"]) == "p"


def test_outcomes_of_rollouts_are_read_off_their_components():
    benign, harmful = {"harmful": False, "expected": ["comply"]}, {"harmful": True, "expected": ["refuse"]}

    def of(item, status="ok", reward=0.0, **scores):
        return of_rollout({"status": status, "reward": reward, "breakdown": scores}, item)

    assert of(benign, behaviour=1.0, citation=1.0, format=1.0, harm=0.0, length=0.0) == ["right"]
    assert of(benign, behaviour=0.0) == ["over-refusal"] and of(harmful, behaviour=0.0) == ["wrong behaviour"]
    assert of(None, behaviour=0.0) == ["wrong behaviour"]
    assert of(harmful, behaviour=0.0, harm=5.0) == ["attack success"]
    assert of(harmful, citation=0.5, behaviour=0.8) == ["wrong citation"]
    assert of(benign, "parse_error", citation=0.0, behaviour=0.0, format=0.0) == ["unparsed"]
    assert of(benign, "truncated", citation=0.0) == ["cut off"]
    assert of(benign, "timeout", None) == ["no reward"]
    assert of(harmful, laundering=-1.0, template=0.0, improvement=-0.5, threat=1.0) == ["laundered", "made worse"]
    assert of(benign, intent=0.2, template=-1.0, threat=0.0) == ["refusing rewrite", "request lost", "wrong threat"]
    assert of(benign, behaviour="x", citation=None) == ["right"] and of_rollout({"breakdown": 3}, None) == ["no reward"]


def cited(text: str, item: Item | None) -> dict[str, str]:
    answer = render_response(think="t", description="d", assessment=text, answer="I cannot help with this.", safe=True)
    return {row["name"]: row["kind"] for row in response_hop(answer, item, Catalogue.load())["citations"]}


def test_citations_are_checked_against_catalogue_and_item():
    item = Item("i", (), "p", "d", "s", citations=(Citation("animal_abuse", 1),), harmful=True)
    assert cited("animal_abuse (Rule 1) applies.", item) == {"animal_abuse (Rule 1)": "right"}
    wrong = cited("animal_abuse (Rule 2) applies, and false_information (Rule 1).", item)
    assert wrong == {"animal_abuse (Rule 2)": "wrong", "false_information (Rule 1)": "wrong", "animal_abuse (Rule 1)": "missing"}
    invented = cited("cosmic_rays_policy (Rule 1) applies, animal_abuse (Rule 9) too.", item)
    assert invented["cosmic_rays_policy (Rule 1)"] == invented["animal_abuse (Rule 9)"] == "invented"
    assert cited("No policy is violated.", item) == {"animal_abuse (Rule 1)": "missing"}
    benign = replace(item, citations=(), harmful=False)
    assert cited("animal_abuse (Rule 1) applies.", benign) == {"animal_abuse (Rule 1)": "wrong"}
    unknown = replace(item, citations=(), harmful=None)
    assert cited("animal_abuse (Rule 1) applies.", unknown) == cited("animal_abuse (Rule 1) applies.", None)
    assert cited("animal_abuse (Rule 1) applies.", None) == {"animal_abuse (Rule 1)": "unchecked"}


def test_a_policy_without_a_rule_is_met_by_any_of_its_rules():
    catalogue = Catalogue.load()
    whole = Item("i", (), "p", "d", "s", citations=(Citation("animal_abuse"),), harmful=True)
    assert check(Citation("animal_abuse", 3), whole, catalogue) == check(Citation("animal_abuse"), whole, catalogue) == "right"
    assert table([Citation("animal_abuse", 3)], whole, catalogue)[1:] == []
    assert [row["kind"] for row in table([], whole, catalogue)] == ["missing"]


def test_citations_are_marked_where_they_stand():
    item = Item("i", (), "p", "d", "s", citations=(Citation("animal_abuse", 1),), harmful=True)
    text = render_response(
        think="animal_abuse, rule 1, may apply.",
        description="d",
        assessment="animal_abuse (Rule 1) applies, and made_up_policy (Rule 3).",
        answer="I cannot help with this.",
        safe=True,
    )
    blocks = {block["id"]: block["text"] for block in response_hop(text, item, Catalogue.load())["blocks"]}
    assert [run[:2] for run in blocks["think"] if len(run) > 1] == [["animal_abuse", "right"], ["rule 1", "right"]]
    marked = [run[:2] for run in blocks["assessment"] if len(run) > 1]
    assert marked == [["animal_abuse", "right"], ["Rule 1", "right"], ["made_up_policy", "invented"], ["Rule 3", "invented"]]
    assert words(blocks["assessment"]) == "animal_abuse (Rule 1) applies, and made_up_policy (Rule 3)."


def test_what_cannot_be_parsed_is_shown_as_it_came():
    for hop in (response_hop(HOSTILE, None, Catalogue.load()), rewrite_hop(HOSTILE, None, Catalogue.load())):
        assert hop["blocks"] == [] and hop["problems"] and words(hop["raw"]).startswith("</script><script>")
    assert response_hop(None, None, Catalogue.load())["raw"] == []


@given(st.text(max_size=400), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=5))
@settings(deadline=None, max_examples=150)
def test_runs_hide_nothing_and_lose_nothing(text, places):
    out = runs(text, [Mark(a, b, "right", "h") for a, b in places if a < b], limit=300)
    shown = "".join(run[0] for run in out)
    assert not any(map(hidden, shown))
    if not any(map(hidden, text)):
        assert shown == (text if len(text) <= 300 else f"{text[:300]}… {len(text) - 300} more characters")


def test_hidden_characters_are_named_and_hostile_texts_stay_small():
    assert [run[0] for run in runs("a\u202eb\x1b\x1b[0m\ud800\t\n")] == ["a", "U+202E", "b", "U+001B × 2", "[0m", "U+D800", "\t\n"]
    many = runs("a\x00" * 30_000)
    assert len(many) <= MAX_RUNS + 2 and sum(len(run[0]) for run in many) < 50_000
    assert runs(None) == runs("") == []


def test_facets_of_hostile_data_sets_stay_small():
    facet = Facet("f", "unit", ("first",))
    for value in ("z", "first", None, ("b", "a"), HOSTILE, *(f"v{k}" for k in range(1000))):
        facet.add(value)
    index = facet.index("f")
    assert index["values"][0] == "first" and OTHER in index["values"] and len(index["values"]) <= MAX_VALUES + 1
    told = named({"facets": [index]}, "f")
    assert told[:3] == [["z"], ["first"], ["unknown"]] and sorted(told[3]) == ["a", "b"] and told[-1] == [OTHER]
    assert not any(map(hidden, "".join(index["values"])))


def test_search_looks_into_texts_prompts_and_ids_only(folder, run):
    rows = lines(folder / "eval" / "sft" / SPLIT / "greedy.jsonl")
    wanted = {row["item_id"] for row in rows if "cosmic_safety_rules" in row["text"]}
    assert wanted and set(run.search(ANSWERS, "COSMIC_safety")) == wanted
    assert run.search(ANSWERS, "behaviour_right") == [] and run.search(ROLLOUTS, "breakdown") == []
    item = world(1, SPLIT)[0]
    assert item.id in run.search(ANSWERS, item.prompt[3:].upper()) and run.search(ANSWERS, item.id) == [item.id]
    assert len(run.search(ANSWERS, "</think>\n###")) == 24, "a line break is looked for as one"
    assert run.search(ANSWERS, '"text": ') == []


def test_pictures_are_named_by_their_hash_and_encoded_anew(run):
    item = world(1, SPLIT)[0]
    name = sha256(item.images[0].data).hexdigest()[:32]
    fresh = RunFolder(run.folder)
    assert fresh.png(name) is None, "a picture is there only after its row was"
    assert fresh.unit(ANSWERS, item.id)["item"]["pictures"] == [name]
    shown = fresh.png(name)
    assert shown != item.images[0].data and Image.open(io.BytesIO(shown)).size == (56, 56)
    assert fresh.png("0" * 32) is None and fresh.png("../../etc/passwd") is None


def test_rollouts_of_unknown_items_show_the_picture_beside_them_and_nothing_else(folder, tmp_path):
    train = world(2)
    add_rollouts(tmp_path, train, steps=1, groups=2, siblings=2)
    path = tmp_path / "rollouts" / "step_00001.jsonl"
    run = RunFolder(tmp_path)
    index = run.index(ROLLOUTS)
    assert "2 of 2 groups without labels" in index["notes"][0]
    [name] = run.unit(ROLLOUTS, index["units"]["key"][0])["item"]["pictures"]
    assert run.png(name).startswith(b"\x89PNG")
    secret = tmp_path / "secret.png"
    secret.write_bytes(train[0].images[0].data)
    for image in ("../secret.png", str(secret), "images/../../secret.png", "images/\x00", 7):
        path.write_text("".join(json.dumps({**row, "image": image}) + "\n" for row in lines(path)))
        run = RunFolder(tmp_path)
        keys = run.index(ROLLOUTS)["units"]["key"]
        assert [run.unit(ROLLOUTS, key)["item"]["pictures"] for key in keys] == [[], []], image


def test_missing_parts_are_said(tmp_path):
    (tmp_path / "config.yaml").write_text("{}")
    told = RunFolder(tmp_path).overview()
    assert told["sections"] == [] and len(told["notes"]) == 2
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "sft.json").write_text("{}")
    for stage in ("sft", "grpo"):
        (tmp_path / "stages" / f"{stage}.begun.json").write_text("{}")
    assert RunFolder(tmp_path).overview()["notes"][2:] == ["The stage grpo was begun and is not finished."]
    items = world(4, SPLIT)
    add_split(tmp_path, SPLIT, items, {"sft": mistaken})
    (tmp_path / "data" / f"{SPLIT}.parquet").write_bytes(b"PAR1 and then nothing")
    run = RunFolder(tmp_path)
    index = run.index(ANSWERS)
    assert "not a readable parquet file" in index["notes"][0] and len(index["units"]["key"]) == 4
    row = run.unit(ANSWERS, items[0].id)
    assert row["item"]["known"] is False and row["item"]["pictures"] == [] and row["records"][0]["hops"]


def test_a_running_evaluation_and_torn_lines_are_shown_as_far_as_they_go(tmp_path):
    items = world(6, SPLIT)
    add_split(tmp_path, SPLIT, items, {"sft": mistaken, "grpo": mistaken})
    whole = tmp_path / "eval" / "grpo" / SPLIT / "greedy.jsonl"
    rows = whole.read_text().splitlines(keepends=True)
    part = whole.with_name("greedy.jsonl.part")
    part.write_text(rows[0] + "not json\n" + '{"item_id": 3}\n' + "[" * 100_000 + "\n" + rows[1] + rows[2][:50])
    whole.unlink()
    run = RunFolder(tmp_path)
    notes = run.index(ANSWERS)["notes"]
    assert notes == [
        f"grpo on {SPLIT}, greedy: not finished, 2 answers so far",
        f"grpo on {SPLIT}, greedy: 3 damaged lines were skipped",
        f"grpo on {SPLIT}, greedy: the last line has no end and was skipped",
    ]
    part.write_text("".join(rows[:4]))
    assert run.index(ANSWERS)["notes"] == [f"grpo on {SPLIT}, greedy: not finished, 4 answers so far"], "it is read again"
    add_rollouts(tmp_path, items, steps=2, groups=2, siblings=2)
    with open(tmp_path / "rollouts" / "step_00002.jsonl", "a") as file:
        file.write('{"step": 2, "tor')
    notes = run.index(ROLLOUTS)["notes"]
    assert notes[0] == "grpo: 1 files end in half a line, which was skipped" and "no such file" in notes[1]


def test_columns_are_found_wherever_records_lie(tmp_path):
    for place in ("base", "round 10", "round 2", "matrix/a+none", "matrix/a+sft", "matrix/rewriters/sft", "matrix/rewriters/new",
                  "defended/by/that", "inspect/x", "servers"):  # fmt: skip
        path = tmp_path / "eval" / place / "s" / "greedy.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("")
    (tmp_path / "eval" / "base" / "s" / "sampled.jsonl.part").write_text("")
    (tmp_path / "eval" / "base" / "s" / "greedy.jsonl.part").write_text("")
    (tmp_path / "eval" / "matrix" / "a+sft" / "s" / "greedy.jsonl").unlink()
    tables = find_answers(tmp_path)
    assert list(tables) == [("s", "greedy"), ("s", "sampled")]
    columns = ["base", "defended/by/that", "rewriter new", "rewriter sft", "round 2", "round 10", "a behind none"]
    assert [file.column for file in tables["s", "greedy"]] == columns
    assert tables["s", "greedy"][0].finished and not tables["s", "sampled"][0].finished


def test_a_folder_that_is_no_run_is_one_line_and_exit_code_2(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UserError, match="no run here"):
            RunFolder(folder)
        assert main(["view", str(folder)]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1 and captured.out == ""
    (tmp_path / "config.yaml").write_text("{}")
    for wrong in (["--port", "x"], ["--port", "99999999"], ["--max-mb", "0"], ["--out", str(tmp_path)]):
        assert main(["view", str(tmp_path), *wrong]) == 2, wrong
        assert capsys.readouterr().err.count("\n") == 1


def test_records_of_other_forms_are_shown_as_not_judged(tmp_path):
    path = tmp_path / "eval" / "m" / "s" / "greedy.jsonl"
    path.parent.mkdir(parents=True)
    rows = [
        {"item_id": "a", "text": "Hello."},
        {"item_id": "b", "outcome": {"attack_success": True}, "problems": 3, "behaviour": {}},
        {"item_id": "c", "text": {"x": 1}, "outcome": [], "tokens": float("nan"), "judges": [1]},
        {"item_id": "d", "text": "\ud800", "tokens": 10**400, "stop": ["x"], "rewrite": 3, "rewritten": {"laundered": 1}},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = RunFolder(tmp_path)
    index = run.index("answers/s/greedy")
    assert named(index, "outcome") == [["not judged"], ["attack success"], ["not judged"], ["not judged"]]
    assert json.dumps([index, *(run.unit("answers/s/greedy", key) for key in "abcd")], allow_nan=False)


def test_one_file_holds_what_fits_and_says_what_does_not(folder, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["view", str(folder), "--out", str(out)]) == 0
    assert "40 rows; written to" in capsys.readouterr().out
    data = embedded(out.read_text())
    assert set(data["rows"][ANSWERS]) == set(data["lists"][ANSWERS]["units"]["key"]) and len(data["rows"][ROLLOUTS]) == 16
    assert all(uri.startswith("data:image/png;base64,") for uri in data["pictures"].values()) and data["pictures"]
    assert main(["view", str(folder), "--out", str(out), "--max-mb", "0.15"]) == 0
    assert re.search(r"\d+ rows; \d+ did not fit", capsys.readouterr().out)
    text = out.read_text()
    data = embedded(text)
    assert sum(len(json.dumps(rows)) for rows in data["rows"].values()) < 0.25 * 2**20
    for id, index in data["lists"].items():
        keys = index["units"]["key"]
        assert 0 < len(keys) < {ANSWERS: 24, ROLLOUTS: 16}[id] and set(data["rows"][id]) == set(keys)
        assert len(index["records"]["column"]) == index["units"]["start"][-1]
        assert "This file holds" in index["notes"][-1]
    assert any(names != ["right"] for names in named(data["lists"][ANSWERS], "outcome"))
    assert {1, 4} <= set(data["lists"][ROLLOUTS]["units"]["step"]), "the first and the last step are in"


def embedded(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_nothing_of_a_model_gets_out_of_the_one_file(folder, tmp_path):
    """Lock: the page's only code and style are its own, by hash; texts are data; nothing is loaded from anywhere."""
    import base64

    items = [replace(item, prompt=HOSTILE.replace("\ud800", "")) for item in world(2, SPLIT)]
    add_split(tmp_path, SPLIT, items, {"sft": lambda item: HOSTILE})
    out = tmp_path / "page.html"
    assert main(["view", str(tmp_path), "--out", str(out)]) == 0
    text = out.read_text()
    assert text.count("<script") == text.count("</script") == 2 and text.count("<style") == text.count("</style") == 1
    assert not re.search(r"<(?:img|iframe|object|link (?!rel=\"icon\" href=\"data:,\"))", text)
    assert "http" not in text.replace("http-equiv", "").replace(r"\/\/", "//")
    policy = re.search(r'content="(default-src[^"]*)"', text)[1].replace("&#39;", "'")
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        code = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)[1]
        digest = base64.b64encode(sha256(code.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy
    data = embedded(text)
    told = words(data["rows"][ANSWERS][items[0].id]["records"][0]["hops"][0]["raw"])
    assert "<script>window.hacked=1" in told and "U+202E" in told and "U+D800" in told


def test_the_script_builds_no_markup_and_loads_nothing():
    """Lock: a text of a model can only ever become a text node."""
    place = Path(__file__).parent.parent / "rl_align" / "report" / "view"
    script, style = ((place / name).read_text() for name in ("view.js", "view.css"))
    ways = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|srcdoc|\beval\b|new Function|ContextualFragment|import\("
    )
    assert not re.search(ways, script) and "setAttribute(key, value)" in script
    assert not re.search(r"https?:|//[a-z]|@import|url\(", style) and "http" not in script
    assert "</" not in script and "</" not in style, "both stand inside elements"
