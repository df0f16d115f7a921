"""Items → the parquet rows that verl's datasets read: prompts for GRPO, conversations for SFT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rl_align.data.files import replacing
from rl_align.data.quarantine import Quarantine
from rl_align.errors import UserError
from rl_align.schema import Item
from rl_align.transcript.neutralise import neutralise
from rl_align.transcript.prompts import RESPONDER_SYSTEM

if TYPE_CHECKING:
    import pyarrow

#: What stands for a picture in a message; verl puts the row's pictures there, in order.
IMAGE_MARKER = "<image>"
NO_TRANSCRIPT, SPECIAL_TOKEN, UNREADABLE_IMAGE = "no_transcript", "special_token_in_transcript", "image_missing"

Fits = Callable[[Item], str | None]

_ROWS_PER_GROUP = 512


def chat(item: Item, special_tokens: Iterable[str], system: str | None = RESPONDER_SYSTEM) -> list[dict[str, str]]:
    """The messages that ask for an item's answer, the same in training and evaluation.

    Args:
        item: The item; its prompt is untrusted text and is neutralised.
        special_tokens: Texts that the model's tokenizer turns into special tokens.
        system: The system message; None for none.

    Returns:
        One optional system message and one user message: a marker for each picture, then the prompt.
    """
    content = IMAGE_MARKER * len(item.images) + neutralise(item.prompt, special_tokens)
    messages = [] if system is None else [{"role": "system", "content": system}]
    return [*messages, {"role": "user", "content": content}]


def _types() -> tuple[pyarrow.DataType, pyarrow.DataType]:
    import pyarrow as pa

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.list_(message), pa.list_(pa.struct([("bytes", pa.binary())]))


def _write(path: str | Path, rows: Iterable[dict[str, Any]], schema: pyarrow.Schema, quarantine: Quarantine) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    written = 0
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == _ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                written += len(batch)
                batch.clear()
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
            written += len(batch)
        if not written:
            raise UserError(
                f"no rows left to write ({quarantine.summary()})",
                where=str(path),
                fix="look at the reasons in the quarantine file",
            )
    return written


def _images(item: Item, quarantine: Quarantine) -> list[dict[str, bytes]] | None:
    try:
        return [{"bytes": image.read()} for image in item.images]
    except OSError as error:
        quarantine.drop(item.id, UNREADABLE_IMAGE, str(error))
        return None


def _fitting(items: Iterable[Item], fits: Fits | None, quarantine: Quarantine) -> Iterable[Item]:
    for item in items:
        reason = fits(item) if fits else None
        if reason:
            quarantine.drop(item.id, reason)
        else:
            yield item


def grpo_rows(
    path: str | Path,
    items: Iterable[Item],
    *,
    special_tokens: Sequence[str],
    quarantine: Quarantine,
    fits: Fits | None = None,
    system: str | None = RESPONDER_SYSTEM,
    agent_name: str = "responder",
    label: Callable[[Item], str] = lambda item: "",
) -> int:
    """Writes the prompts that verl's RLHF dataset reads.

    Columns: data_source, prompt [{role, content}], images [{bytes}], reward_model {style, ground_truth}, extra_info
    {index, item_id, split}, agent_name. The ground truth is what `label` says of an item.

    Args:
        path: The parquet file.
        items: Items with pictures that the model's processor takes.
        special_tokens: Texts that the model's tokenizer turns into special tokens.
        quarantine: Takes items that do not fit.
        fits: Reason why an item does not fit the length limits, None when it does.
        system: The system message.
        agent_name: Registered name of the agent loop that runs the row.
        label: What rewards may know of an item, as text.

    Returns:
        How many rows were written.

    Raises:
        UserError: No rows are left, or the file cannot be written.
    """
    import pyarrow as pa

    messages, pictures = _types()
    schema = pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", messages),
            ("images", pictures),
            ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
            ("extra_info", pa.struct([("index", pa.int64()), ("item_id", pa.string()), ("split", pa.string())])),
            ("agent_name", pa.string()),
        ]
    )

    def rows() -> Iterable[dict[str, Any]]:
        index = 0
        for item in _fitting(items, fits, quarantine):
            images = _images(item, quarantine)
            if images is None:
                continue
            yield {
                "data_source": item.dataset,
                "prompt": chat(item, special_tokens, system),
                "images": images,
                "reward_model": {"style": "rule", "ground_truth": label(item)},
                "extra_info": {"index": index, "item_id": item.id, "split": item.split},
                "agent_name": agent_name,
            }
            index += 1

    return _write(path, rows(), schema, quarantine)


def sft_rows(
    path: str | Path,
    items: Iterable[Item],
    transcripts: Mapping[str, str],
    *,
    special_tokens: Sequence[str],
    quarantine: Quarantine,
    fits: Fits | None = None,
    system: str | None = RESPONDER_SYSTEM,
) -> int:
    """Writes the conversations that verl's SFT dataset reads: item_id, messages [{role, content}], images [{bytes}].

    A transcript is a training target and is never altered: one that spells a special token drops its item.

    Args:
        path: The parquet file.
        items: Items with pictures that the model's processor takes.
        transcripts: Item id → the text to learn.
        special_tokens: Texts that the model's tokenizer turns into special tokens, without the grammar's own tags.
        quarantine: Takes items without a usable transcript and items that do not fit.
        fits: Reason why an item does not fit the length limits, None when it does.
        system: The system message.

    Returns:
        How many rows were written.

    Raises:
        UserError: No rows are left, or the file cannot be written.
    """

    def rows() -> Iterable[dict[str, Any]]:
        for item in _fitting(items, fits, quarantine):
            transcript = transcripts.get(item.id)
            if transcript is None:
                quarantine.drop(item.id, NO_TRANSCRIPT)
                continue
            if neutralise(transcript, special_tokens) != transcript:
                quarantine.drop(item.id, SPECIAL_TOKEN)
                continue
            images = _images(item, quarantine)
            if images is not None:
                answer = {"role": "assistant", "content": transcript}
                yield {"item_id": item.id, "messages": [*chat(item, special_tokens, system), answer], "images": images}

    return conversation_rows(path, rows(), quarantine)


def conversation_rows(path: str | Path, rows: Iterable[dict[str, Any]], quarantine: Quarantine) -> int:
    """Writes conversations as `sft_rows` does, already made: item_id, messages (the last one is the target), images.

    Raises:
        UserError: No rows are left, or the file cannot be written.
    """
    import pyarrow as pa

    messages, pictures = _types()
    schema = pa.schema([("item_id", pa.string()), ("messages", messages), ("images", pictures)])
    return _write(path, rows, schema, quarantine)
