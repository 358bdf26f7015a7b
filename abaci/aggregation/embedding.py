"""Embedders: texts in, unit vectors out, so that alike texts lie close."""

from __future__ import annotations

import logging
import re
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, assert_never

import numpy as np
from numpy.typing import NDArray

from abaci.aggregation.config import (
    AutoEmbedderConfig,
    EmbedderConfig,
    SentenceTransformersConfig,
    StaticEmbedderConfig,
    TfidfEmbedderConfig,
)
from abaci.errors import SettingsError

logger = logging.getLogger(__name__)

Vectors = NDArray[np.float32]

_WORD = re.compile(r"[a-z]+|\d+|[^\sa-z\d]")
_LETTERS = 4
"""Length of the letter groups that let inflected words be alike."""

MAX_FEATURES = 8_192
"""Words and letter groups that are told apart: those in most texts. One in a single text makes nothing alike."""


class Embedder(Protocol):
    """Makes vectors of texts."""

    @property
    def max_distance(self) -> float:
        """The cosine distance up to which this embedder's vectors mean the same."""
        ...

    def embed(self, texts: list[str]) -> Vectors:
        """One vector of length one a text, `len(texts)` × any number of dimensions; zero where nothing is known."""
        ...


@cache
def make_embedder(config: EmbedderConfig) -> Embedder:
    """The embedder that `config` describes, loaded once a process.

    Raises:
        SettingsError: a package or model that it needs is not there.
    """
    match config:
        case AutoEmbedderConfig():
            try:
                return StaticEmbedder()
            except SettingsError as error:
                # Once a process: what this gives is kept.
                logger.warning("statements are compared by their words and letters: %s", error)
                return TfidfEmbedder()
        case StaticEmbedderConfig():
            return StaticEmbedder()
        case TfidfEmbedderConfig():
            return TfidfEmbedder()
        case SentenceTransformersConfig(model=model):
            return SentenceTransformersEmbedder(model)
        case _:
            assert_never(config)


class StaticEmbedder:
    """The mean of the word vectors (256 dimensions) that come with `wordllama`.

    The package's own loader asks a hub for its tokenizer; the files are read where the package keeps them instead.
    """

    max_distance = 0.35

    def __init__(self) -> None:
        spec = find_spec("wordllama")
        if spec is None or not spec.submodule_search_locations:
            raise SettingsError("the static embedder needs the package `wordllama`: install it, or choose `tfidf`")
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        folder = Path(spec.submodule_search_locations[0])
        vocabulary = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
        try:
            weights = load_file(folder / "weights" / "l2_supercat_256.safetensors")
            self._tokenizer = Tokenizer.from_str(vocabulary.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"the package `wordllama` lacks its word vectors ({error}): choose `tfidf`") from error
        self._table = weights["embedding.weight"].astype(np.float32)
        self._tokenizer.no_padding()

    def embed(self, texts: list[str]) -> Vectors:
        """See `Embedder.embed`."""
        encoded = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        none = np.zeros(self._table.shape[1], dtype=np.float32)
        return _unit([self._table[entry.ids].mean(axis=0) if entry.ids else none for entry in encoded])


class TfidfEmbedder:
    """Counts of words and letter groups, each weighted by how rare it is among the texts at hand."""

    max_distance = 0.5

    def embed(self, texts: list[str]) -> Vectors:
        """See `Embedder.embed`."""
        counted = [_features(text) for text in texts]
        spread = Counter(feature for found in counted for feature in found)
        kept = sorted(spread, key=lambda feature: (-spread[feature], feature))[:MAX_FEATURES]
        columns = {feature: column for column, feature in enumerate(kept)}
        matrix = np.zeros((len(texts), max(1, len(columns))), dtype=np.float32)
        for row, found in enumerate(counted):
            for feature in found.keys() & columns.keys():
                matrix[row, columns[feature]] = found[feature]
        frequency = (matrix > 0).sum(axis=0)
        return _unit(list(matrix * (np.log((1 + len(texts)) / (1 + frequency)) + 1).astype(np.float32)))


class SentenceTransformersEmbedder:
    """A model of `sentence-transformers`."""

    max_distance = 0.15

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise SettingsError(f"the embedder {model!r} needs the package `sentence-transformers`") from error
        try:
            self._model = SentenceTransformer(model)
        except (OSError, ValueError) as error:
            raise SettingsError(f"the embedder {model!r} cannot be loaded: {error}") from error

    def embed(self, texts: list[str]) -> Vectors:
        """See `Embedder.embed`."""
        return np.asarray(self._model.encode(texts, normalize_embeddings=True), dtype=np.float32)


def _features(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in _WORD.findall(text.lower()):
        padded = f"_{word}_"
        grams = [padded[start : start + _LETTERS] for start in range(len(padded) - _LETTERS + 1)]
        for feature in [f"={word}", *grams]:
            found[feature] = found.get(feature, 0) + 1
    return found


def _unit(rows: list[NDArray[np.float32]]) -> Vectors:
    matrix = np.stack(rows) if rows else np.zeros((0, 1), dtype=np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)
