"""The small models: what a run starts from must be loadable, exact on any text, and the same for the same seed."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_align.errors import UserError
from rl_align.models.config import ModelConfig
from rl_align.models.tiny import build
from rl_align.models.tokenizer import SPECIAL_TOKENS, train

TRANSCRIPT = (
    "<think>\nThe picture shows a red knife, a blade. The person wants to hurt someone. violence_and_physical_harm "
    "applies, rule 1 says refuse. I refuse.\n</think>\n### Image Content Description\nA red knife on a light ground.\n"
    "### Risk Assessment\nviolence_and_physical_harm (Rule 1)\n### Safe Response\nI cannot help with this."
)
CORPUS = [TRANSCRIPT, TRANSCRIPT.replace("knife", "ball"), "do what the picture says: HURT A PERSON"] * 2
SPEC = {"qwen2_5_vl": 16, "qwen3_vl": 16}


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def parameters(folder: Path) -> int:
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as weights:
        return sum(math.prod(weights.get_slice(key).get_shape()) for key in weights.keys())


@pytest.fixture(scope="module")
def tokenizer():
    return train(CORPUS, 1024)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {arch: build(ModelConfig(architecture=arch), root / arch, CORPUS) for arch in SPEC}


@pytest.fixture(scope="module")
def processor(folders):
    from transformers import AutoProcessor

    return AutoProcessor.from_pretrained(folders["qwen2_5_vl"])


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=80)
def test_any_text_round_trips(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("text", ["# ## a\n\n\n", "</think", "<<<", "a_b_c 12 ٣", "\r\n \t", "né́e 你好 🙂", "### x\n"])
def test_awkward_text_round_trips(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_frequent_words_are_single_tokens(tokenizer):
    tokens = [tokenizer.decode([i]) for i in tokenizer.encode(TRANSCRIPT)]
    policy = "violence_and_physical_harm"
    assert {policy, f" {policy}", "<think>\n", " knife", " 1", "### Safe Response\n"} <= set(tokens)
    assert len(tokens) <= 1.2 * len(TRANSCRIPT.split())


def test_unseen_words_fall_back_to_smaller_pieces(tokenizer):
    assert 1 < len(tokenizer.encode("zephyr")) <= len("zephyr")


def test_vocabulary_fills_up_to_its_size():
    words = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "nprstvz"]
    assert len(train(words * 2, 512)) == 512


def test_special_tokens_are_single_and_named(tokenizer, folders):
    import json

    config = json.loads((folders["qwen2_5_vl"] / "config.json").read_text())
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    assert all(tokenizer.encode(token) == [ids[token]] for token in SPECIAL_TOKENS)
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert config["image_token_id"] == ids["<|image_pad|>"]
    assert config["text_config"]["eos_token_id"] == ids["<|im_end|>"]
    assert config["text_config"]["vocab_size"] >= len(tokenizer)


def test_template_keeps_the_order_of_parts(processor):
    messages = [
        {"role": "system", "content": "Think first."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Describe it."}]},
    ]
    assert processor.apply_chat_template(messages, add_generation_prompt=True) == (
        "<|im_start|>system\nThink first.<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Describe it.<|im_end|>\n"
        "<|im_start|>assistant\n"
    )


@pytest.mark.parametrize("edge", [84, 112, 400])
def test_pixel_budget_bounds_the_image_tokens(processor, edge):
    from PIL import Image

    batch = processor(text=["<|image_pad|>"], images=[Image.new("RGB", (edge, edge))], return_tensors="pt")
    assert batch["input_ids"].shape[1] == (9 if edge == 84 else 16)


@pytest.mark.parametrize("arch", SPEC)
def test_transformers_loads_it_and_the_image_matters(folders, arch):
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folders[arch])
    model = AutoModelForImageTextToText.from_pretrained(folders[arch])
    assert model.dtype == torch.float32
    text = "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>what is it?<|im_end|>\n"
    logits = []
    for colour in ("red", "blue"):
        batch = processor(text=[text], images=[Image.new("RGB", (112, 112), colour)], return_tensors="pt")
        assert (batch["input_ids"] == model.config.image_token_id).sum() == SPEC[arch]
        with torch.no_grad():
            logits.append(model(**batch).logits)
    assert torch.isfinite(logits[0]).all()
    assert not torch.allclose(logits[0][:, -1], logits[1][:, -1], atol=1e-4)


def test_same_seed_same_bytes_and_other_seed_other_weights(tmp_path):
    cfg = ModelConfig(size="1m", seed=3)
    first = digests(build(cfg, tmp_path / "a", CORPUS))
    assert digests(build(cfg, tmp_path / "b", list(reversed(CORPUS)))) == first
    other = digests(build(ModelConfig(size="1m", seed=4), tmp_path / "c", CORPUS))
    assert [name for name in first if first[name] != other[name]] == ["model.safetensors"]


@pytest.mark.parametrize(("size", "low", "high"), [("1m", 0.5e6, 2e6), ("3m", 2e6, 5e6), ("30m", 25e6, 35e6)])
def test_sizes_are_what_their_names_say(tmp_path, size, low, high):
    assert low <= parameters(build(ModelConfig(size=size), tmp_path / size, CORPUS)) <= high


@pytest.mark.parametrize(("size", "expected"), [("100m", 98_821_248), ("3b", 3_754_622_976)])
def test_large_sizes_have_the_parameters_that_they_should(tokenizer, size, expected):
    """Lock: "3b" is Qwen2.5-VL-3B's own shapes, so its count is that model's; nothing is allocated here."""
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration

    from rl_align.models.registry import architecture

    arch = architecture("qwen2_5_vl")
    with torch.device("meta"):
        model = Qwen2_5_VLForConditionalGeneration(arch.config(arch.sizes[size], tokenizer, max(1024, arch.sizes[size].vocab_rows)))
    assert sum(parameter.numel() for parameter in model.parameters()) == expected
    assert (model.lm_head.weight is model.get_input_embeddings().weight) is arch.sizes[size].tied


def test_the_shapes_that_an_mfu_counts_are_read_from_a_models_files(folders, tmp_path):
    from rl_align.pipeline.gpu_check.flops import read_shapes

    assert read_shapes(tmp_path) is None
    found = read_shapes(folders["qwen2_5_vl"])
    assert found.parameters == parameters(folders["qwen2_5_vl"])
    looked_up = found.parameters - found.text - found.tower - found.merger  # the embedding, which multiplies nothing
    assert looked_up > 0 and looked_up % 256 == 0
    assert (found.layers, found.width) == (3, 256) and 0 < found.merger < found.tower


def test_a_cast_copy_holds_the_same_model_in_half_the_bytes(folders, tmp_path):
    import torch
    from safetensors import safe_open
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from rl_align.models.cast import cast_folder

    source = folders["qwen2_5_vl"]
    cast_folder(source, tmp_path / "m", "bfloat16")
    assert sorted(p.name for p in source.iterdir()) == sorted(p.name for p in (tmp_path / "m").iterdir())
    with safe_open(source / "model.safetensors", "pt") as a, safe_open(tmp_path / "m" / "model.safetensors", "pt") as b:
        assert set(a.keys()) == set(b.keys()) and a.metadata() == b.metadata()
        assert all(torch.equal(a.get_tensor(name).to(torch.bfloat16), b.get_tensor(name)) for name in a.keys())
    assert AutoModelForImageTextToText.from_pretrained(tmp_path / "m").dtype == torch.bfloat16
    AutoProcessor.from_pretrained(tmp_path / "m")


def test_bfloat16_on_request(tmp_path):
    from safetensors import safe_open

    folder = build(ModelConfig(size="1m", dtype="bfloat16"), tmp_path / "m", CORPUS)
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert {weights.get_slice(key).get_dtype() for key in weights.keys()} == {"BF16"}


def test_building_replaces_an_older_folder_and_leaves_no_parts(tmp_path):
    out = tmp_path / "m"
    out.mkdir()
    (out / "stale").write_text("x")
    build(ModelConfig(size="1m"), out, CORPUS)
    assert not (out / "stale").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_an_existing_folder_is_used_as_it_is(folders, tmp_path):
    path = folders["qwen3_vl"]
    assert build(ModelConfig(path=str(path)), tmp_path / "unused", []) == path
    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (ModelConfig(architecture="qwen25_vl"), "did you mean 'qwen2_5_vl'"),
        (ModelConfig(size="3mm"), "did you mean '3m'"),
        (ModelConfig(dtype="float16"), "model.dtype"),
        (ModelConfig(vocab_size=100), "model.vocab_size"),
        (ModelConfig(path="/nowhere"), "no Hugging Face model here"),
    ],
)
def test_bad_config_is_one_clear_error(tmp_path, cfg, message):
    with pytest.raises(UserError, match=message):
        build(cfg, tmp_path / "m", CORPUS)
    assert not list(tmp_path.iterdir())
