"""`rl-align export` on a run folder with real, tiny models: what is trusted, written and verified, and what the card says."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from exporting import copy, lora_checkpoint, make, witnessed
from made_run import HOSTILE, world

from rl_align import cli
from rl_align.engine.checkpoints import seal_and_prune
from rl_align.engine.witness import WITNESS
from rl_align.errors import EngineFailed, UserError
from rl_align.models import lora
from rl_align.models.forward import log_probs
from rl_align.pipeline.config import RunConfig
from rl_align.pipeline.export import source, texts, verify
from rl_align.pipeline.export.command import export
from rl_align.pipeline.export.markdown import fit, table
from rl_align.pipeline.kept import keep
from rl_align.runfiles.atomic import write_json
from rl_align.runfiles.manifest import read_manifest
from rl_align.runfiles.manifest import verify as problems_of

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("export") / "run")


@pytest.fixture
def run(made, tmp_path) -> Path:
    """A run of one's own to damage. Records name their inputs relative to the run."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def told(run: Path, to: Path, **given) -> list[str]:
    lines: list[str] = []
    export(run, to, vllm=False, say=lines.append, **given)
    return lines


def head(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_a_model_is_written_as_others_load_it_and_says_what_its_trainer_said(made, tmp_path):
    from safetensors.torch import load_file

    lines = told(made, tmp_path / "out")
    out = tmp_path / "out"
    said = r"transformers: loads; [\d.e-]+ nats a token from the trainer .* \(tolerance 0.02 and 0.5, bfloat16\)"
    assert any(re.search(said, line) for line in lines), lines
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "processor_config.json", "tokenizer.json"} <= names
    assert {"chat_template.jinja", "README.md", "manifest.json"} <= names and WITNESS not in names
    assert {tensor.dtype.__repr__() for tensor in load_file(out / "model.safetensors").values()} == {"torch.bfloat16"}
    assert "attn_implementation" not in (out / "config.json").read_text()
    assert problems_of(out) == []
    meta = read_manifest(out)["meta"]
    assert meta["content"] == source.find(made, "grpo").hash
    assert meta["verified"]["by"]["transformers"]["mean"] < 0.02 and "vLLM" not in meta["verified"]["by"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"], "something was left beside the folder"


def test_a_model_without_a_witness_is_asked_about_what_is_recorded(made, tmp_path):
    lines = told(made, tmp_path / "sft", stage="sft")
    assert any("texts, " in line and texts.TAUGHT in line for line in lines)
    assert "transformers: loads; there is nothing to compare with" in lines


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda model: (model / "model.safetensors").write_bytes(b"x"), "model.safetensors was changed since stage grpo"),
        (lambda model: (model / "tokenizer.json").unlink(), "tokenizer.json is missing since stage grpo"),
        (lambda model: (model / "modeling.py").write_text(""), "modeling.py is new since stage grpo"),
    ],
)
def test_files_that_are_not_what_the_run_recorded_are_not_read(run, tmp_path, damage, message):
    damage(run / "models" / "grpo")
    with pytest.raises(UserError, match=re.escape(message)):
        told(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_is_left_alone(made, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("x")
    for card_only in (False, True):
        with pytest.raises(UserError, match="there is something already"):
            told(made, tmp_path / "mine", card_only=card_only)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["note"]
    (tmp_path / "empty").mkdir()
    told(made, tmp_path / "empty", card_only=True)
    assert sorted(path.name for path in (tmp_path / "empty").iterdir()) == ["README.md", "manifest.json"]


@pytest.mark.parametrize(("given", "message"), [("../base", "names no model"), ("nothing", "there is no model 'nothing'")])
def test_what_is_no_model_is_named(made, tmp_path, given, message):
    with pytest.raises(UserError, match=re.escape(message)):
        told(made, tmp_path / "out", stage=given)


def recorded_again(run: Path) -> None:
    """The record of `grpo` as it would be if the stage had left what lies there now."""
    from rl_align.pipeline.stages import _content

    path = run / "stages" / "grpo.json"
    outputs = _content(run, run / "models" / "grpo", within=run)
    write_json(path, json.loads(path.read_text()) | {"outputs": outputs})


def test_other_log_probabilities_than_the_trainers_are_no_export(run, tmp_path):
    witness = run / "models" / "grpo" / WITNESS
    write_json(witness, witnessed(run, run / "models" / "grpo", more=0.1))
    recorded_again(run)
    with pytest.raises(EngineFailed, match=r"transformers: says other log-probabilities than the trainer: 0.1 nats a token apart"):
        told(run, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_the_weights_of_another_model_are_seen(run, tmp_path):
    """The witness is of `grpo`; the weights become those of the warm start."""
    for name in ("model.safetensors",):
        (run / "models" / "grpo" / name).write_bytes((run / "models" / "sft" / name).read_bytes())
    recorded_again(run)
    with pytest.raises(EngineFailed, match="says other log-probabilities than the trainer"):
        told(run, tmp_path / "out")


def test_another_template_is_seen(run, tmp_path):
    template = run / "models" / "grpo" / "chat_template.jinja"
    template.write_text("Look: " + template.read_text())
    recorded_again(run)
    with pytest.raises(EngineFailed, match="its template and processor make other tokens of 4 of 4 prompts"):
        told(run, tmp_path / "out")


def test_a_damaged_witness_is_the_users_error(run, tmp_path):
    (run / "models" / "grpo" / WITNESS).write_text('{"texts": [{}]}')
    recorded_again(run)
    with pytest.raises(UserError, match="is damaged"):
        told(run, tmp_path / "out")


def test_distances_are_told_and_bounded():
    found = verify.compare("a", "b", [[-1.0, -2.0], [-3.0]], [[-1.0, -2.003], [-3.0]], "bfloat16")
    assert found["mean"] == pytest.approx(0.001) and found["max"] == pytest.approx(0.003) and found["tokens"] == 3
    for mine, theirs, dtype in (
        ([[-1.0]], [[-1.03]], "bfloat16"),  # the mean
        ([[-1.0] * 99 + [-2.0]], [[-1.0] * 100], "bfloat16"),  # one token
        ([[math.nan]], [[-1.0]], "bfloat16"),
        ([[-1.0]], [[-1.01]], "float32"),
    ):
        with pytest.raises(EngineFailed, match="says other log-probabilities"):
            verify.compare("a", "b", mine, theirs, dtype)
    with pytest.raises(EngineFailed, match="tokens"):
        verify.compare("a", "b", [[-1.0]], [[-1.0, -1.0]], "bfloat16")
    assert verify.coarser("float32", "bfloat16") == "bfloat16" and verify.coarser("float32", "float32") == "float32"


def test_the_card_names_lineage_data_rewards_and_both_sides_with_intervals(made, tmp_path):
    told(made, tmp_path / "out", card_only=True)
    card = (tmp_path / "out" / "README.md").read_text()
    assert head(card)["license"] == "other" and head(card)["datasets"] == ["pictograms"] and "base_model" not in head(card)
    for name in ("models/grpo", "models/sft", "models/base", "data/train.parquet"):
        line = next(line for line in card.splitlines() if line.startswith(f"| {name} |"))
        assert re.search(r"`[0-9a-f]{64}`", line)
    assert "| pictograms | Apache-2.0 | 8 |" in card and "No licence of the data above forbids commercial use" in card
    rates = next(line for line in card.splitlines() if line.startswith("| grpo |"))
    assert len(re.findall(r"\d %? \([\d.]+ to [\d.]+\)", rates)) >= 2
    header = next(line for line in card.splitlines() if "attack success" in line and line.startswith("|"))
    assert header.index("attack success ↓") < header.index("over refusal ↓")
    for words in ("* behaviour: 1.0", "* composition: gated", "## Intended use", "## Limits", "## Responsible use", "Not verified"):
        assert words in card
    assert str(made) not in card and str(Path.home()) not in card


def test_texts_of_others_stay_words_in_the_card(tmp_path):
    """Data set and licence are texts out of a file that somebody else made."""
    bad = (
        "CC-BY-NC-4.0 | <script>alert(1)</script> [x](http://a.example) ![p](http://a.example/p.png)\n# heading\n---\nlicense: mit"
    )
    items = [replace(item, dataset=HOSTILE.encode("utf-8", "replace").decode(), licence=bad) for item in world(8)]
    items = [*items[:4], *(replace(item, licence="terms of access") for item in items[4:])]
    run = make(tmp_path / "run", items)
    told(run, tmp_path / "out", card_only=True)
    card = (tmp_path / "out" / "README.md").read_text()
    assert head(card)["license"] == "other" and head(card)["license_name"] == "non-commercial-data"
    body = card.split("---\n", 2)[2]
    assert "<script" not in body and "<img" not in body and not re.search(r"(?<!\\)\]\(", body) and "http://" not in body
    assert "\n# heading" not in body and "\x1b" not in body and "\u202e" not in body and "{{" in body
    row = next(line for line in body.splitlines() if "alert" in line and line.startswith("|"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 4, row
    assert "A non-commercial licence" in body and "Clear it before the model is passed on" in body


def test_values_are_fit_for_markdown():
    assert fit("a|b") == "a\\|b" and fit("<b>&") == "&lt;b&gt;&amp;" and fit("x\n\n# y") == "x \\# y" and fit("- z") == "\\- z"
    assert fit("Apache-2.0") == "Apache-2.0" and fit(0.5) == "0.5" and fit("`x`") == "\\`x\\`"
    assert fit("www.x.y, https://x") == "www\\.x.y, https\\://x"
    assert len(fit("a" * 1000)) < 250
    assert table(("a", "b"), [("x|", 1)]).splitlines() == ["| a | b |", "| --- | --- |", "| x\\| | 1 |"]


def test_an_unfinished_stage_gives_its_newest_checkpoint_that_can_be_trusted(run, tmp_path):
    (run / "stages" / "grpo.json").unlink()
    shutil.rmtree(run / "models" / "grpo")
    for step in (1, 2):
        folder = run / "checkpoints" / "grpo" / f"global_step_{step}"
        copy(run / "models" / "sft", folder / "actor" / "huggingface", 0.2)
        write_json(folder / WITNESS, witnessed(run, folder / "actor" / "huggingface"))
        seal_and_prune(folder, step, 2)
    with open(run / "checkpoints" / "grpo" / "global_step_2" / "actor" / "huggingface" / "model.safetensors", "ab") as file:
        file.write(b"x")
    lines = told(run, tmp_path / "out")
    assert lines[0].endswith("its newest checkpoint that can be trusted, step 1")
    assert any("from the trainer on average" in line for line in lines)
    assert "this is the checkpoint of step 1" in (tmp_path / "out" / "README.md").read_text()


@pytest.fixture(scope="module")
def adapted(tmp_path_factory) -> tuple[Path, dict]:
    """A run whose GRPO stage trained an adapter."""
    about: dict = {}

    def train(run: Path) -> None:
        folder, found = lora_checkpoint(run / "checkpoints" / "grpo" / "global_step_2", run / "models" / "sft")
        about.update(found)
        keep(folder, "actor/huggingface", run / "models" / "grpo", run / "models" / "sft", "bfloat16", True)
        write_json(run / "models" / "grpo" / WITNESS, witnessed(run, run / "models" / "grpo"))

    config = RunConfig()
    config = replace(config, grpo=replace(config.grpo, lora=replace(config.grpo.lora, rank=4, alpha=8)))
    return make(tmp_path_factory.mktemp("lora") / "run", config=config, train=train), about


def test_an_adapter_is_added_as_peft_adds_it(adapted):
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForImageTextToText

    run, about = adapted
    merged = AutoModelForImageTextToText.from_pretrained(run / "models" / "grpo", dtype=torch.float32).state_dict()
    wanted = about["peft"].merge_and_unload().state_dict()
    start = AutoModelForImageTextToText.from_pretrained(run / "models" / "sft", dtype=torch.float32).state_dict()
    assert set(merged) == set(wanted)
    assert all(torch.allclose(merged[name], wanted[name], atol=1e-6) for name in wanted)
    changed = {name for name in wanted if not torch.equal(merged[name], start[name])}
    assert changed and not any("visual" in name for name in changed), "the tower is frozen"
    assert json.loads((run / "models" / "grpo" / "config.json").read_text())["dtype"] == "bfloat16"
    kept = load_file(run / "models" / "grpo" / lora.ADAPTER / lora.WEIGHTS)
    assert len(kept) == len(about["adapter"]) and all(name.endswith(("lora_A.weight", "lora_B.weight")) for name in kept)


def test_an_adapter_is_exported_merged_or_beside_its_model(adapted, tmp_path):
    run, _ = adapted
    told(run, tmp_path / "merged")
    card = (tmp_path / "merged" / "README.md").read_text()
    assert "LoRA adapter (rank 4, alpha 8, vision tower frozen)" in card and "merged into these weights" in card
    assert not (tmp_path / "merged" / lora.ADAPTER).exists()

    lines = told(run, tmp_path / "kept", keep_adapter=True)
    assert any("nats a token from the trainer" in line for line in lines)
    kept = tmp_path / "kept"
    assert (kept / lora.CONFIG).is_file() and (kept / "base" / "model.safetensors").is_file()
    assert not (kept / "model.safetensors").exists()
    assert json.loads((kept / lora.CONFIG).read_text())["base_model_name_or_path"] == "base"
    assert head((kept / "README.md").read_text())["library_name"] == "peft"
    asked = texts.of(source.find(run, "grpo"), run / "models" / "grpo" / WITNESS, kept / "base").asked
    merged, above, alone = (
        log_probs(folder, asked, adapter=adapter)[0]
        for folder, adapter in ((tmp_path / "merged", None), (kept / "base", kept), (kept / "base", None))
    )
    assert verify.compare("kept", "merged", above, merged, "bfloat16")["mean"] < 0.02
    with pytest.raises(EngineFailed):
        verify.compare("base", "merged", alone, merged, "bfloat16")


def test_an_adapter_is_not_put_beside_another_model(adapted, tmp_path):
    run = Path(shutil.copytree(adapted[0], tmp_path / "run"))
    with open(run / "models" / "sft" / "model.safetensors", "ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="is another model than the one that grpo began with"):
        told(run, tmp_path / "out", keep_adapter=True)


def test_there_is_no_adapter_to_keep_without_lora(made, tmp_path):
    with pytest.raises(UserError, match="--keep-adapter: grpo was trained without LoRA"):
        told(made, tmp_path / "out", keep_adapter=True)


def test_an_adapter_of_an_unfinished_stage_is_added_to_what_the_stage_began_with(adapted, tmp_path):
    from safetensors.torch import load_file

    run = Path(shutil.copytree(adapted[0], tmp_path / "run"))
    finished = load_file(run / "models" / "grpo" / "model.safetensors")
    (run / "stages" / "grpo.json").unlink()
    shutil.rmtree(run / "models" / "grpo")
    seal_and_prune(run / "checkpoints" / "grpo" / "global_step_2", 2, 2)
    told(run, tmp_path / "out")
    made = load_file(tmp_path / "out" / "model.safetensors")
    assert all((made[name] == finished[name].to(made[name].dtype)).all() for name in finished)


def test_the_command_line_ends_with_two_for_what_is_not_there(tmp_path, capsys):
    assert cli.main(["export", str(tmp_path), "--to", str(tmp_path / "out")]) == 2
    assert "there is no run here" in capsys.readouterr().err
