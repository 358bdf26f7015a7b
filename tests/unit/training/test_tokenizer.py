"""The tokenizer, learnt here from a small sample."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from training import batches, tokenizer
from training.chat import END, PAD, STOP, Weights, text
from training.dataset import executed, generate, known
from training.problem import Row

ROWS = list(executed(generate(known(), 300, "train"), 1))


@pytest.fixture(scope="module")
def made() -> Tokenizer:
    return tokenizer.train((text(row) for row in ROWS), 768)


@pytest.mark.parametrize(
    "sample",
    [
        "What is 12,345.678 - 9?",
        "```python\nfor i in range(3):\n    print(i)\n```\n```output\n0\n1\n2\n```\n",
        "∫ x² dx ≈ 3·π, señor Yılmaz 算盤 🧮",
        "  leading and   inner blanks\t\ttabs\n\n\nlines",
        "$\\frac{1}{2}$ and \\boxed{\\sqrt[3]{7}}",
        "",
    ],
)
def test_text_round_trips(made: Tokenizer, sample: str) -> None:
    assert made.decode(made.encode(sample).ids, skip_special_tokens=False) == sample


def test_every_training_text_round_trips(made: Tokenizer) -> None:
    for row in ROWS:
        assert made.decode(made.encode(text(row)).ids, skip_special_tokens=False) == text(row)


def test_digits_stand_alone(made: Tokenizer) -> None:
    assert made.encode("2048").tokens == ["2", "0", "4", "8"]


def test_markers_and_fences_are_single_tokens(made: Tokenizer) -> None:
    for marker in (END, PAD, STOP, "<|user|>", "<|assistant|>", "```python", "```"):
        assert len(made.encode(marker).ids) == 1


def test_vocabulary_has_the_size_asked_for(made: Tokenizer) -> None:
    assert made.get_vocab_size() == 768


def test_parts_encode_like_the_whole(made: Tokenizer) -> None:
    for row in ROWS:
        assert batches.encode(row, made, Weights()).ids == made.encode(text(row)).ids


def test_too_little_text_is_refused() -> None:
    with pytest.raises(ValueError, match="give it more text"):
        tokenizer.train(["one two"], 768)


def test_saved_chat_template_writes_the_prompt(made: Tokenizer, tmp_path: Path) -> None:
    import json

    import jinja2

    tokenizer.save(made, tmp_path, 1024)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    written = jinja2.Template(config["chat_template"], keep_trailing_newline=True).render(
        messages=[{"role": "user", "content": "What is 2 + 3?"}]
    )
    assert written == "<|user|>\nWhat is 2 + 3?\n<|assistant|>\n"


def test_cut_rows_end_with_their_last_program(made: Tokenizer) -> None:
    with_program = Row("f", "What is 2 + 3?", "Add", (("print(2 + 3)", "5"),), "5")
    direct = Row("f", "What is 2 + 3?", "2 + 3 = 5.", (), "5")
    whole = batches.encode_all([with_program, direct], made, Weights(), 320)
    cut = batches.encode_all([with_program, direct], made, Weights(), 320, cut=1.0)
    assert made.decode(cut[0].ids, skip_special_tokens=False).endswith(f"print(2 + 3)\n```\n{STOP}")
    assert cut[0].ids == whole[0].ids[: len(cut[0].ids)]
    assert cut[1] == whole[1]


def test_share_of_rows_is_cut(made: Tokenizer) -> None:
    rows = [Row("f", "What is 2 + 3?", "Add", (("print(2 + 3)", "5"),), "5")] * 200
    lengths = [len(row.ids) for row in batches.encode_all(rows, made, Weights(), 320, cut=0.75)]
    assert lengths.count(min(lengths)) == 150


def test_batches_hold_every_row_once() -> None:
    rows = [batches.Encoded([1] * n, [1.0] * n) for n in (5, 40, 80, 33, 7, 200, 64)]
    order = batches.order(rows, 256, 1)
    assert sorted(i for batch in order for i in batch) == list(range(len(rows)))
    assert order == batches.order(rows, 256, 1)


def test_stream_resumes_where_it_was() -> None:
    rows = [batches.Encoded([1] * (n % 50 + 3), [1.0] * (n % 50 + 3)) for n in range(90)]
    whole = batches.stream(rows, 256, 1, 0)
    first = [next(whole) for _ in range(40)]
    resumed = batches.stream(rows, 256, 1, 25)
    assert [next(resumed) for _ in range(15)] == first[25:]


def test_prompt_weighs_nothing_once_it_is_learnt() -> None:
    rows = [batches.Encoded([5, 6, 7], [0.1, 0.1, 1.0], prompt=2)]
    _, weights = batches.tensors(rows, [0], 0, with_prompt=False)
    assert weights[0, :3].tolist() == [0.0, 0.0, 1.0]


def test_padding_weighs_nothing() -> None:
    rows = [batches.Encoded([5, 6, 7], [1.0, 1.0, 0.1])]
    ids, weights = batches.tensors(rows, [0], 0, with_prompt=True)
    assert ids.shape == (1, batches.STEP)
    assert weights[0, 3:].sum() == 0
