"""Special tokens of the chat templates that a rewriter or a target may have: the guard does not know their tokenizers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from rl_align.transcript.neutralise import neutralise

#: Spellings that are not of the form `<|…|>`: Llama 2 and LLaVA, Mistral and Pixtral, Gemma, InternVL, DeepSeek-VL, Phi.
USUAL = (
    "<s>", "</s>", "<bos>", "<eos>", "<pad>", "<unk>", "<<SYS>>", "<</SYS>>", "[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]",
    "[IMG_END]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]", "[TOOL_CONTENT]", "[PREFIX]", "[SUFFIX]", "[MIDDLE]", "<start_of_turn>", "<end_of_turn>", "<start_of_image>",
    "<end_of_image>", "<image_soft_token>", "<img>", "</img>", "<IMG_CONTEXT>", "<image_placeholder>", "<im_patch>", "<im_start>",
    "<im_end>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>", "<end_of_utterance>",
    "<fake_token_around_image>",
)  # fmt: skip

#: Qwen, Llama 3, Phi, GLM; DeepSeek writes the bars in full width.
_BARRED = re.compile(r"<(?=[|\uff5c][^<>\n]{1,64}?[|\uff5c]>)")
_GRAMMAR = re.compile(r"<(?=/?(?:threat|intent|rewrite)[ \t]{0,8}>)", re.IGNORECASE)


def breaker(special_tokens: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that takes the power from special tokens in a text that goes into a template (`transcript/neutralise.py`).

    Args:
        special_tokens: Spellings beside the usual ones.
    """
    tokens = (*USUAL, *special_tokens)
    neutralise("", tokens)  # spellings that cannot be broken raise ValueError here, not at the first request

    def broken(text: str) -> str:
        # A lone surrogate has no UTF-8 form: no tokenizer would take it.
        text = text.encode("utf-8", "replace").decode("utf-8")
        return neutralise(_BARRED.sub("< ", text), tokens)

    return broken


def break_grammar(text: str) -> str:
    """The text with the rewriter's own tags broken: a person who writes them must not write the rewriter's answer."""
    return _GRAMMAR.sub("< ", text)
