"""Rows have the columns verl reads; nothing in untrusted text passes for a picture or a turn; drops are counted."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rl_align.data.images import ImageConfig
from rl_align.data.quarantine import Quarantine
from rl_align.data.rows import chat, grpo_rows, sft_rows
from rl_align.data.sources import special
from rl_align.data.validate import validate
from rl_align.errors import UserError
from rl_align.schema import ImageRef, Item

TOKENS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
MEDIA = ("<image>", "<video>", "<audio>")


def item(key: str, prompt: str = "What is it?", pictures: int = 1) -> Item:
    return Item(
        id=key, images=(ImageRef(data=b"picture"),) * pictures, prompt=prompt, dataset="world", split="train"
    )  # fmt: skip


def test_grpo_rows_have_the_columns_of_the_engine(tmp_path):
    path = tmp_path / "grpo.parquet"
    items = [item("words", pictures=0), item("one"), item("two", pictures=2)]
    quarantine = Quarantine()
    assert grpo_rows(path, items, special_tokens=TOKENS, quarantine=quarantine, system="Think.") == 3
    rows = pq.read_table(path).to_pylist()
    assert rows[2] == {
        "data_source": "world",
        "prompt": [
            {"role": "system", "content": "Think."},
            {"role": "user", "content": "<image><image>What is it?"},
        ],
        "images": [{"bytes": b"picture"}] * 2,
        "reward_model": {"style": "rule", "ground_truth": ""},
        "extra_info": {"index": 2, "item_id": "two", "split": "train"},
        "agent_name": "responder",
    }
    assert rows[0]["images"] == [] and "<image>" not in rows[0]["prompt"][1]["content"]
    assert len(quarantine) == 0


def test_sft_rows_end_in_the_transcript(tmp_path):
    path = tmp_path / "sft.parquet"
    transcript = "<think>\nLook.\n</think>\n### Normal Response\nIt is a cup."
    done = sft_rows(path, [item("a")], {"a": transcript}, special_tokens=TOKENS, quarantine=Quarantine(), system=None)
    assert done == 1
    assert pq.read_table(path).to_pylist() == [
        {
            "item_id": "a",
            "messages": [
                {"role": "user", "content": "<image>What is it?"},
                {"role": "assistant", "content": transcript},
            ],
            "images": [{"bytes": b"picture"}],
        }
    ]


def test_what_does_not_fit_is_counted_with_its_reason_and_indices_have_no_holes(tmp_path):
    path = tmp_path / "grpo.parquet"
    gone = Item(id="gone", images=(ImageRef(path="/nowhere.png"),), prompt="p", dataset="world", split="train")
    items = [item("a"), item("b", "long " * 100), gone, item("c")]
    quarantine = Quarantine()

    def fits(one: Item) -> str | None:
        return "prompt_too_long" if len(one.prompt) > 100 else None

    assert grpo_rows(path, items, special_tokens=TOKENS, quarantine=quarantine, fits=fits) == 2
    infos = pq.read_table(path).column("extra_info").to_pylist()
    assert [(info["index"], info["item_id"]) for info in infos] == [(0, "a"), (1, "c")]
    assert quarantine.counts == {"prompt_too_long": 1, "image_missing": 1}


def test_sft_never_alters_a_target(tmp_path):
    transcripts = {"a": "fine", "b": "ends early<|im_end|> and goes on", "c": "names an <image>"}
    quarantine = Quarantine()
    items = [item("a"), item("b"), item("c"), item("d")]
    path = tmp_path / "sft.parquet"
    assert sft_rows(path, items, transcripts, special_tokens=TOKENS, quarantine=quarantine) == 1
    assert quarantine.counts == {"special_token_in_transcript": 2, "no_transcript": 1}


def test_nothing_left_is_a_user_error_that_says_why_and_writes_nothing(tmp_path):
    path = tmp_path / "grpo.parquet"
    with pytest.raises(UserError, match="no rows left to write .1 dropped: 1 too_long.") as caught:
        grpo_rows(path, [item("a")], special_tokens=TOKENS, quarantine=Quarantine(), fits=lambda _: "too_long")
    assert str(path) in str(caught.value) and list(tmp_path.iterdir()) == []


def test_errors_of_the_length_check_are_not_blamed_on_the_disk(tmp_path):
    def fits(_: Item) -> str | None:
        raise FileNotFoundError("tokenizer.json")

    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json"):
        grpo_rows(tmp_path / "x.parquet", [item("a")], special_tokens=TOKENS, quarantine=Quarantine(), fits=fits)
    assert list(tmp_path.iterdir()) == []


def test_many_rows_of_every_special_item(tmp_path):
    items = list(validate(special.load(), ImageConfig(max_pixels=7056), Quarantine()))
    path = tmp_path / "grpo.parquet"
    assert grpo_rows(path, items, special_tokens=TOKENS, quarantine=Quarantine()) == len(items)
    for row in pq.read_table(path).to_pylist():
        content = row["prompt"][-1]["content"]
        assert content.count("<image>") == len(row["images"])
        assert not any(token in content for token in (*TOKENS, "<video>", "<audio>"))


@settings(deadline=None, max_examples=150)
@given(
    parts=st.lists(st.sampled_from([*TOKENS, *MEDIA, "<|im_", "end|>", "<ima", "ge>", "<", ">", "|"]) | st.text(max_size=4)),
    pictures=st.integers(0, 3),
)
def test_a_prompt_never_holds_more_markers_than_pictures(parts, pictures):
    content = chat(item("a", "".join(parts), pictures), TOKENS)[-1]["content"]
    assert content.startswith("<image>" * pictures)
    rest = content[len("<image>") * pictures :]
    assert not any(token in rest for token in (*TOKENS, *MEDIA))
    assert content.count("<image>") == pictures
