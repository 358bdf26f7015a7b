"""Atoms, their vectors, and the clusters of those that say the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_chains import chain

from abaci.aggregation.atoms import MAX_ATOMS, MAX_ATOMS_OF_ALL, Atom, split_all, split_atoms
from abaci.aggregation.clusters import cluster_atoms
from abaci.aggregation.config import (
    AutoEmbedderConfig,
    SentenceTransformersConfig,
    StaticEmbedderConfig,
    TfidfEmbedderConfig,
)
from abaci.aggregation.embedding import MAX_FEATURES, Embedder, StaticEmbedder, TfidfEmbedder, make_embedder
from abaci.aggregation.signature import signature
from abaci.errors import SettingsError
from abaci.types import Execution, Output, Program, Rationale


@pytest.fixture(scope="module", params=["static", "tfidf"])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return make_embedder(StaticEmbedderConfig() if request.param == "static" else TfidfEmbedderConfig())


def atoms(*texts: str) -> list[Atom]:
    """One atom a chain."""
    return [Atom(text=text, chain=index, place=0.0) for index, text in enumerate(texts)]


def test_prose_is_split_into_sentences_and_list_items() -> None:
    text = "We add 2.5 and 3. So it is 5.5.\n\n1. Take the first box.\n- Then the second box.\nOK.\n$$x = 5.5$$"
    assert [atom.text for atom in split_atoms(chain(3, "5.5", text))] == [
        "We add 2.5 and 3.",
        "So it is 5.5.",
        "Take the first box.",
        "Then the second box.",
        "$$x = 5.5$$",
    ]


def test_programs_and_outputs_are_no_atoms() -> None:
    steps = (
        Rationale(text="I compute the sum.\n```python\nprint('This is code.')\n```\n"),
        Program(code="print('This is code.')"),
        Output(text="This is output.", execution=Execution(status="ok")),
        Rationale(text="It is seven.\n```python\nnever closed"),
    )
    found = split_atoms(chain(0, "7").model_copy(update={"steps": steps}))
    assert [(atom.text, atom.place) for atom in found] == [("I compute the sum.", 0.0), ("It is seven.", 0.5)]


def test_a_chain_has_a_bounded_number_of_atoms() -> None:
    assert len(split_atoms(chain(0, "1", "This is it again. " * 5000))) == MAX_ATOMS


def test_all_chains_together_have_a_bounded_number_of_atoms() -> None:
    found = split_all([chain(index, "1", "This is it again. " * 500) for index in range(40)])
    assert len(found) <= MAX_ATOMS_OF_ALL
    assert {atom.chain for atom in found} == set(range(40))


def test_texts_of_many_words_are_told_apart_by_those_they_share() -> None:
    texts = [" ".join(str(number) for number in range(start, start + 4000)) for start in (10_000, 20_000, 30_000)]
    vectors = TfidfEmbedder().embed([*texts, "Shared it is.", "Shared it is."])
    assert vectors.shape == (5, MAX_FEATURES)
    assert vectors[3] @ vectors[4] == pytest.approx(1.0)


def test_vectors_have_length_one_or_zero(embedder: Embedder) -> None:
    vectors = embedder.embed(["The derivative is 2x.", "", "Ω≠∅"])
    lengths = np.linalg.norm(vectors, axis=1)
    assert vectors.shape[0] == 3
    assert all(length == pytest.approx(1, abs=1e-5) or length == 0 for length in lengths)
    assert embedder.embed([]).shape[0] == 0


def test_paraphrases_share_a_cluster_and_other_claims_do_not(embedder: Embedder) -> None:
    found = cluster_atoms(
        atoms(
            "Now substitute the value into the equation.",
            "Substituting the value in the equation now.",
            "The garden is surrounded by a wooden fence.",
        ),
        embedder,
    )
    assert sorted(cluster.chains for cluster in found) == [(0, 1), (2,)]


PARAPHRASES = (
    ("First we find how many apples there are in all.", "We begin by computing the total number of apples."),
    ("The car drives 60 miles each hour, so we multiply.", "Since its speed is 60 miles an hour, we take the product."),
    ("Adding the two amounts gives the total cost.", "The total cost is the sum of both amounts."),
    ("Subtract the money she spent from what she had.", "She had some money; take away what was spent."),
    ("By Pythagoras the hypotenuse is 5.", "The hypotenuse equals 5 by the Pythagorean theorem."),
    ("Each child gets an equal share of the candy.", "The candy is divided equally among the children."),
    ("The derivative of the function is zero at its maximum.", "At a maximum the function's derivative vanishes."),
    ("Half of the students are girls.", "Girls make up one half of the students."),
    ("There are infinitely many primes.", "The set of prime numbers is infinite."),
    ("He sells the rest at the market every day.", "The remainder is sold daily at the market."),
)


@pytest.mark.parametrize(
    ("embedder", "gap"), [(StaticEmbedder(), 0.2), (TfidfEmbedder(), 0.0)], ids=["static", "tfidf"]
)
def test_every_paraphrase_lies_closer_than_any_other_statement(embedder: Embedder, gap: float) -> None:
    vectors = embedder.embed([text for pair in PARAPHRASES for text in pair])
    distance = 1 - vectors[::2] @ vectors[1::2].T
    others = distance[~np.eye(len(PARAPHRASES), dtype=bool)]
    assert others.min() - np.diag(distance).max() > gap
    assert others.min() > embedder.max_distance


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Hence x = 3.", "Hence x = 5."),
        ("The number is odd.", "The number is even."),
        ("It is prime.", "It is not prime."),
    ],
)
def test_close_texts_that_contradict_each_other_are_never_merged(embedder: Embedder, first: str, second: str) -> None:
    assert len(cluster_atoms(atoms(first, second), embedder, max_distance=1.0)) == 2


def test_a_chain_that_repeats_itself_supports_a_cluster_once() -> None:
    twice = [Atom(text="The sum is 12.", chain=4, place=0.1), Atom(text="The sum is 12.", chain=4, place=0.9)]
    (found,) = cluster_atoms(twice, TfidfEmbedder())
    assert found.chains == (4,)
    assert found.place == pytest.approx(0.5)


TEXTS = [
    "The sum is 12.",
    "So the sum is 12.",
    "The sum is 13.",
    "Add the boxes.",
    "We add all the boxes.",
    "It is odd.",
]


@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.integers(0, 4)), max_size=12), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_atoms_never_matters_and_every_cluster_has_one_signature(picked, random) -> None:
    made = [Atom(text=text, chain=index, place=place / 5) for index, (text, place) in enumerate(picked)]
    shuffled = sorted(made, key=lambda _: random.random())
    found = cluster_atoms(made, TfidfEmbedder())
    assert found == cluster_atoms(shuffled, TfidfEmbedder())
    assert sorted(index for cluster in found for index in cluster.chains) == [atom.chain for atom in made]
    for cluster in found:
        assert {signature(made[index].text) for index in cluster.chains} == {signature(cluster.text)}


def test_the_static_vectors_come_without_a_network() -> None:
    assert isinstance(make_embedder(StaticEmbedderConfig()), StaticEmbedder)
    assert make_embedder(StaticEmbedderConfig()) is make_embedder(StaticEmbedderConfig())


@pytest.fixture
def no_word_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The package is installed, and its files are not there."""
    (tmp_path / "wordllama").mkdir()
    (tmp_path / "wordllama" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    make_embedder.cache_clear()
    yield
    make_embedder.cache_clear()


@pytest.mark.usefixtures("no_word_vectors")
def test_without_word_vectors_the_default_counts_words_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    first, second = (make_embedder(AutoEmbedderConfig()) for _ in range(2))
    assert isinstance(first, TfidfEmbedder)
    assert second is first
    [said] = caplog.messages
    assert "lacks its word vectors" in said


@pytest.mark.usefixtures("no_word_vectors")
def test_word_vectors_that_were_asked_for_and_are_not_there_are_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="lacks its word vectors"):
        make_embedder(StaticEmbedderConfig())


def test_the_default_takes_the_word_vectors_where_they_are(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(make_embedder(AutoEmbedderConfig()), StaticEmbedder)
    assert caplog.messages == []


def test_a_model_that_is_not_there_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="no-such-model"):
        make_embedder(SentenceTransformersConfig(model="/no-such-model"))
