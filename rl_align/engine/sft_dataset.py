"""Transcripts for verl's SFT trainer: tokenised exactly as in rollouts, and only once.

verl's own dataset tokenises message by message, twice, at every draw; here the prompt goes through the processor as in
`agent_loops.py`, the answer is tokenised by itself, and what comes out is kept for the next epochs. Put in by `data.custom_cls`.
"""

from __future__ import annotations

import io
from typing import Any

import torch
from torch.utils.data import Dataset

from .chat import parts
from .positions import extend_positions, prompt_positions

#: Image features kept in memory, in bytes; above it they are computed again at every draw.
CACHE_BYTES = 2_000_000_000


class TranscriptDataset(Dataset):
    """Rows of `messages` (the last one is the answer) and `images`.

    Items: input_ids (T), position_ids (4, T) or (T), loss_mask (T, 1 on the answer and its end token), multi_modal_inputs.

    Raises:
        ValueError: A transcript longer than `data.max_length`.
    """

    def __init__(self, parquet_files: Any, tokenizer: Any, config: Any, processor: Any = None, max_samples: int = -1):
        import pyarrow.parquet as pq

        files = [parquet_files] if isinstance(parquet_files, str) else list(parquet_files)
        self.rows = [row for file in files for row in pq.read_table(file).to_pylist()]
        if max_samples and max_samples > 0:
            self.rows = self.rows[:max_samples]
        self.tokenizer, self.processor = tokenizer, processor
        self.max_length = config.max_length
        self.drawn: list[str] = []  # ids of the items drawn since the trainer last took them
        self._cache: dict[int, dict[str, Any]] = {}
        self._cached = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        self.drawn.append(self.rows[index]["item_id"])
        found = self._cache.get(index)
        if found is None:
            found = self._encode(self.rows[index])
            size = sum(t.numel() * t.element_size() for t in found.get("multi_modal_inputs", {}).values())
            if self._cached + size <= CACHE_BYTES:
                self._cached += size
                self._cache[index] = found
        return dict(found)

    def _encode(self, row: dict[str, Any]) -> dict[str, Any]:
        from PIL import Image

        *asked, answer = row["messages"]
        images = [Image.open(io.BytesIO(image["bytes"])) for image in row["images"] or []]
        messages = [{"role": m["role"], "content": parts(m["content"])} for m in asked]
        renderer = self.processor or self.tokenizer
        text = renderer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        features: dict[str, Any] = {}
        if self.processor is None:
            prompt = torch.tensor(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        else:
            features = dict(self.processor(text=[text], images=images or None, return_tensors="pt"))
            prompt = features.pop("input_ids")[0]
            features.pop("attention_mask")
        end = self.tokenizer.eos_token
        target = torch.tensor(self.tokenizer(answer["content"] + end, add_special_tokens=False)["input_ids"])
        ids = torch.cat([prompt, target])
        if len(ids) > self.max_length:
            raise ValueError(f"the transcript of {row['item_id']} has {len(ids)} tokens, sft.max_tokens is {self.max_length}")
        positions = extend_positions(prompt_positions(self.processor, prompt, features), len(target))
        out = {
            "input_ids": ids,
            "position_ids": positions,
            "loss_mask": torch.cat([torch.zeros_like(prompt), torch.ones_like(target)]),
        }
        features.pop("mm_token_type_ids", None)
        if "pixel_values" in features:
            features["pixel_values"] = features["pixel_values"].to(torch.bfloat16)
        out["multi_modal_inputs"] = features
        return out
