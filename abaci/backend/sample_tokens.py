"""Keeps one sample's tokens and text in step, so that the ids sent always decode to the text sent.

An engine streams a token's id at once but its text when it is complete (a character may span tokens), and it cuts the
text behind a stop string but not the token that the string ends in. Here ids wait for their text, and a cut token is
replaced by tokens for the part that stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from abaci.errors import BackendRejected

_CONTEXT_TOKENS = 8
"""So many prompt tokens stand before a decoded sample: some decoders treat a text's first token differently."""


class Codec(Protocol):
    """The two directions of a tokenizer, neither adding nor showing special tokens."""

    def encode(self, text: str) -> list[int]:
        """The ids of `text`."""
        ...

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of `token_ids`."""
        ...


class Piece(NamedTuple):
    """Text and the ids that decode to it; `logprob_sum` over the tokens as they were generated."""

    text: str
    token_ids: tuple[int, ...]
    logprob_sum: float


class SampleTokens:
    """The tokens of one sample, as they come from an engine.

    Args:
        codec: the model's tokenizer.
        prompt_ids: the prompt that the sample continues.
    """

    def __init__(self, codec: Codec, prompt_ids: Sequence[int]) -> None:
        self._codec = codec
        self._context = list(prompt_ids[-_CONTEXT_TOKENS:])
        self._context_chars = len(codec.decode(self._context))
        self._sent_ids: list[int] = []
        self._sent_text = ""
        self._held_ids: list[int] = []
        self._held_logprob = 0.0
        self.count = 0
        """Tokens generated so far, the end-of-sequence token included."""

    def add(self, text: str, token_ids: Sequence[int], logprob: float = 0.0) -> Piece | None:
        """Take what the engine made; gives what can be sent, None while the text is incomplete."""
        self._hold(token_ids, logprob)
        if not text:
            return None
        return self._send(text, self._held_ids)

    def finish(self, text: str, token_ids: Sequence[int], logprob: float = 0.0, *, stop: str | None) -> Piece | None:
        """Take the engine's last part; gives what remains to be sent, None when that is nothing.

        `stop` names the stop string that ended the sample: the text then ends with it, whatever the token says.

        Raises:
            BackendRejected: this tokenizer has no tokens for the text before the cut.
        """
        self._hold(token_ids, logprob)
        wanted = self._sent_text + text
        decoded = self._decode([*self._sent_ids, *self._held_ids])
        ids = self._held_ids
        if stop is not None and decoded != wanted:
            ids = self._refit(wanted)
        elif decoded.startswith(wanted):
            # Bytes that never became a character: the decoder withheld them, but the ids are there.
            text = decoded[len(self._sent_text) :]
        return self._send(text, ids) if ids or text else None

    def drop_end_token(self, token_ids: Sequence[int]) -> Sequence[int]:
        """`token_ids` without the end-of-sequence token, which has no text and must not precede what is appended."""
        if token_ids and not self._codec.decode(token_ids[-1:]):
            self.count += 1
            return token_ids[:-1]
        return token_ids

    def _hold(self, token_ids: Sequence[int], logprob: float) -> None:
        self._held_ids.extend(token_ids)
        self._held_logprob += logprob
        self.count += len(token_ids)

    def _send(self, text: str, ids: Sequence[int]) -> Piece:
        piece = Piece(text, tuple(ids), self._held_logprob)
        self._sent_ids.extend(ids)
        self._sent_text += text
        self._held_ids = []
        self._held_logprob = 0.0
        return piece

    def _decode(self, ids: Sequence[int]) -> str:
        """The text of the sample's `ids` in their place behind the prompt."""
        return self._codec.decode([*self._context, *ids])[self._context_chars :]

    def _refit(self, wanted: str) -> list[int]:
        """Ids for the part of `wanted` not sent yet: as many of the held ones as fit, then new ones for the rest."""
        for kept in range(len(self._held_ids), -1, -1):
            head = [*self._sent_ids, *self._held_ids[:kept]]
            head_text = self._decode(head)
            if not wanted.startswith(head_text):
                continue
            for tail in self._encodings(wanted[len(head_text) :]):
                if self._decode([*head, *tail]) == wanted:
                    return [*self._held_ids[:kept], *tail]
        raise BackendRejected(
            f"the model's tokenizer has no tokens that end with the stop string in {wanted[-40:]!r}: "
            "choose a stop string that ends with a line break or a space"
        )

    def _encodings(self, text: str) -> list[list[int]]:
        """Ways to tokenise `text` where it continues other text: as it is, and behind a line break, then cut off.

        The second is for tokenizers that put a space before whatever they are given.
        """
        line_break = self._codec.encode("\n")
        behind = self._codec.encode("\n" + text)
        ways = [self._codec.encode(text)]
        if behind[: len(line_break)] == line_break:
            ways.append(behind[len(line_break) :])
        return ways
