"""A byte-level BPE tokenizer trained on a corpus, with the special tokens and the chat template of Qwen2.5-VL.

Frequent words become tokens of their own, whole, and are matched before any merge is tried (`ignore_merges`, as in
Llama 3's tokenizer); the merges serve all other text, down to single bytes, so any UTF-8 text encodes. Reaching a word
by merges alone would spend several vocabulary entries on its fragments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
END_OF_TURN = "<|im_end|>"
IMAGE = "<|image_pad|>"
VIDEO = "<|video_pad|>"
VISION_START = "<|vision_start|>"
VISION_END = "<|vision_end|>"
SPECIAL_TOKENS = (
    END_OF_TEXT,
    "<|im_start|>",
    END_OF_TURN,
    VISION_START,
    VISION_END,
    "<|vision_pad|>",
    IMAGE,
    VIDEO,
)

#: The length that the tokenizer declares, and the model's number of positions.
MAX_LENGTH = 4096

#: Share of the entries beyond bytes and special tokens that goes to merges, which serve text outside the corpus.
MERGE_SHARE = 0.15

#: A word is made a token of its own when the corpus holds it at least this often.
MIN_COUNT = 2

#: In order: tags and heading lines, as the transcript grammar has them, English contractions, words (snake_case counts
#: as one word) and single digits with the space before them, punctuation with the line breaks after it, line breaks,
#: other white space. A transcript costs its tokens in every rollout, hence whole heading lines.
PATTERN = (
    r"</?\p{L}+>\n?"
    r"|#{1,6} [\p{L} ]{1,40}\n"
    r"|'(?:s|t|re|ve|m|ll|d)\b"
    r"| ?[\p{L}\p{M}_]+"
    r"| ?\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}_<]+\n*"
    r"| ?<"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' or 'image' in part or 'image_url' in part %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' or 'video' in part %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

#: What the chat template itself writes around the corpus.
_TEMPLATE_TEXT = ("system\n", "user\n", "assistant\n") * MIN_COUNT


def train(corpus: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer on a corpus; the same corpus gives the same tokenizer.

    Args:
        corpus: Texts; the order does not matter.
        vocab_size: Largest number of tokens, bytes (256) and special tokens included.

    Returns:
        A tokenizer with special tokens and chat template set, padding on the left.

    Raises:
        ValueError: `vocab_size` leaves no room beyond bytes and special tokens.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    vocab, merges = _vocabulary(corpus, vocab_size)
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    tokenizer.pre_tokenizer = _pre_tokenizer()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TURN,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[t for t in SPECIAL_TOKENS if t not in (END_OF_TURN, END_OF_TEXT)],
        model_max_length=MAX_LENGTH,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def _pre_tokenizer() -> PreTokenizer:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _vocabulary(corpus: Iterable[str], vocab_size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Bytes, then merges, then whole words by falling count."""
    from tokenizers import pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    room = vocab_size - len(alphabet) - len(SPECIAL_TOKENS)
    if room <= 0:
        raise ValueError(f"vocab_size {vocab_size} leaves no room beyond {len(alphabet)} bytes and the special tokens")
    split = _pre_tokenizer()
    counts: Counter[str] = Counter()
    for text in (*_TEMPLATE_TEXT, *corpus):
        counts.update(word for word, _ in split.pre_tokenize_str(text))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    words = [word for word in ranked if counts[word] >= MIN_COUNT and len(word) > 1]
    merges = _merges(ranked, max(int(MERGE_SHARE * room), room - len(words)))

    vocab = {token: index for index, token in enumerate(alphabet)}
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    for word in words:
        if len(vocab) >= len(alphabet) + room:
            break
        vocab.setdefault(word, len(vocab))
    return vocab, merges


def _merges(words: list[str], number: int) -> list[tuple[str, str]]:
    """The `number` most productive merges over distinct words, each counted once."""
    import json

    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + number,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    return [tuple(merge) for merge in json.loads(tokenizer.to_str())["model"]["merges"]]
