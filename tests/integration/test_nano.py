"""The bundled model: its files, and that it solves problems through the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from abaci.sandbox.bubblewrap import BubblewrapSandbox
from abaci.sandbox.config import BubblewrapConfig
from training import evaluate
from training.chat import FENCES, USER, prompt
from training.dataset import held_out
from training.generate import Decoding, Loaded, complete, load
from training.solve import BATCH, is_right, solve

NANO = Path(__file__).resolve().parents[2] / "abaci" / "backend" / "nano"
FLOOR = 0.8
"""Share of the fixed held-out problems that the shipped weights solve at least."""
QUESTIONS = (
    "What is 12 + 30?",
    "Compute 17*23",
    "Tom has 15 apples. He gives 4 apples to Anna. How many apples does Tom have left?",
    "Find the derivative of 3x^2 + 2x.",
    "Who is the president?",
)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load(NANO)


@pytest.fixture(scope="module")
def greedy(loaded: Loaded) -> list[list[int]]:
    """Our own greedy tokens for the questions above, one at a time, so that nothing is padded."""
    prompts = [loaded.tokenizer.encode(prompt(question)).ids for question in QUESTIONS]
    return [complete(loaded, [ids], Decoding(max_tokens=48))[0] for ids in prompts]


def test_package_data_is_complete() -> None:
    for name in ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "README.md"):
        assert (NANO / name).stat().st_size > 0


def test_weights_fit_into_the_package() -> None:
    assert (NANO / "model.safetensors").stat().st_size <= 40e6


def test_context_holds_1024_tokens() -> None:
    assert json.loads((NANO / "config.json").read_text())["max_position_embeddings"] >= 1024


def test_shipped_tokenizer_round_trips() -> None:
    tokenizer = Tokenizer.from_file(str(NANO / "tokenizer.json"))
    sample = prompt("If x² + 3 = 12,000.5 then…?") + "Try\n```python\nprint(1)\n```\n```output\n1\n```\n"
    assert tokenizer.decode(tokenizer.encode(sample).ids, skip_special_tokens=False) == sample


def test_chat_markers_are_special_and_fences_are_not() -> None:
    listed = json.loads((NANO / "tokenizer.json").read_text())["added_tokens"]
    special = {token["content"]: token["special"] for token in listed}
    assert special[USER]
    assert not any(special[fence] for fence in FENCES)


def test_card_states_recipe_data_and_figures() -> None:
    card = (NANO / "README.md").read_text()
    for part in ("SHA-256", "training/configs/", "GSM8K test", "SVAMP", "held-out phrasings", "pass@1"):
        assert part in card


async def test_fixed_held_out_problems_score_above_the_floor(loaded: Loaded) -> None:
    torch.set_num_threads(2)
    rows = evaluate.evenly(held_out("numbers", 600), 100)
    assert len(rows) == 100 <= BATCH
    async with BubblewrapSandbox(BubblewrapConfig(max_sessions=4, spares=4)) as sandbox:
        chains = await solve(loaded, [row.question for row in rows], sandbox, Decoding())
    right = sum(is_right(chain.answer, row.answer) for row, chain in zip(rows, chains, strict=True))
    assert right / len(rows) >= FLOOR


def test_transformers_gives_the_same_greedy_tokens(loaded: Loaded, greedy: list[list[int]]) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(NANO, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(NANO)
    for question, ours in zip(QUESTIONS, greedy, strict=True):
        ids = tokenizer(prompt(question), return_tensors="pt").input_ids
        assert ids[0].tolist() == loaded.tokenizer.encode(prompt(question)).ids
        theirs: list[int] = []
        for _ in ours:
            ids = torch.cat((ids, model(ids).logits[:, -1:].argmax(dim=-1)), dim=1)
            theirs.append(int(ids[0, -1]))
        assert theirs == ours


def test_transformers_chat_template_is_our_prompt() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(NANO)
    messages = [{"role": "user", "content": QUESTIONS[0]}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == prompt(QUESTIONS[0])
