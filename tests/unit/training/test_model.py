"""The model, its optimizer and its batched generation, at a size that takes milliseconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

from training import tokenizer
from training.batches import Encoded
from training.chat import text
from training.dataset import executed, generate, known
from training.export import export
from training.generate import Decoding, Loaded, complete, load
from training.model import ModelConfig, NanoModel
from training.optimizer import orthogonal
from training.recipe import Recipe, Schedule, read
from training.train import ROOT, Prepared, train

TINY = ModelConfig(vocab=512, hidden=64, intermediate=96, layers=2, heads=4, kv_heads=2, context=128)


@pytest.fixture(scope="module")
def made() -> Tokenizer:
    rows = list(executed(generate(known(), 150, "train"), 1))
    return tokenizer.train((text(row) for row in rows), TINY.vocab)


@pytest.fixture(scope="module")
def loaded(made: Tokenizer) -> Loaded:
    torch.manual_seed(3)
    model = NanoModel(TINY)
    for weight in model.parameters():
        weight.data *= 4  # sharp enough that greedy choices are not ties
    return Loaded(model.eval(), made)


@pytest.fixture
def recipe() -> Recipe:
    plan = Schedule(steps=12, batch_tokens=256, warmup=2)
    return replace(Recipe(), model=TINY, schedule=plan, is_compiled=False, threads=1)


def logits(model: NanoModel, ids: list[int]) -> torch.Tensor:
    """After every position, by the plain forward pass."""
    return F.linear(model.hidden(torch.tensor([ids])), model.model.embed_tokens.weight)[0]


def test_loss_is_the_weighted_mean_cross_entropy(loaded: Loaded) -> None:
    ids, weights = [5, 9, 3, 7], [0.0, 1.0, 0.0, 0.5]
    each = F.cross_entropy(logits(loaded.model, ids)[:-1], torch.tensor(ids[1:]), reduction="none")
    wanted = (each[0] * 1.0 + each[2] * 0.5) / 1.5
    found = loaded.model.loss(torch.tensor([ids]), torch.tensor([weights]))
    torch.testing.assert_close(found, wanted)


def test_later_tokens_do_not_change_earlier_ones(loaded: Loaded) -> None:
    one, other = logits(loaded.model, [5, 9, 3, 7]), logits(loaded.model, [5, 9, 3, 8])
    torch.testing.assert_close(one[:3], other[:3])


def test_cached_generation_equals_the_plain_forward_pass(loaded: Loaded) -> None:
    prompts = [[20, 21, 22, 23, 24, 25, 26], [30, 31], [40]]
    found = complete(loaded, prompts, Decoding(max_tokens=12))
    for prompt, new in zip(prompts, found, strict=True):
        ids = list(prompt)
        for token in new:
            assert int(logits(loaded.model, ids)[-1].argmax()) == token
            ids.append(token)


def test_sampling_repeats_with_its_seed(loaded: Loaded) -> None:
    draw = Decoding(temperature=1.0, max_tokens=10, seed=4)
    assert complete(loaded, [[20, 21]], draw) == complete(loaded, [[20, 21]], draw)


def test_full_context_generates_nothing(loaded: Loaded) -> None:
    assert complete(loaded, [[20] * TINY.context], Decoding()) == [[]]


def test_orthogonal_update_has_singular_values_near_one() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(48, 96)))
    assert float(values.min()) > 0.5
    assert float(values.max()) < 1.5


def test_learning_rate_warms_up_stays_and_falls_to_zero() -> None:
    plan = Schedule(steps=100, warmup=10, decay=0.4)
    assert plan.factor(0) == pytest.approx(0.1)
    assert plan.factor(30) == 1.0
    assert plan.factor(80) == pytest.approx(0.5)
    assert plan.factor(100) == 0.0


def encoded(count: int) -> list[Encoded]:
    """Sequences that are easy to learn."""
    return [Encoded([10 + i % 5] * 20, [1.0] * 20) for i in range(count)]


def test_training_lowers_the_loss(recipe: Recipe, made: Tokenizer, tmp_path: Path) -> None:
    rows = encoded(60)
    ids = torch.tensor([rows[0].ids])
    before = NanoModel(TINY).loss(ids, torch.ones(1, 20)).item()
    run = train(recipe, tmp_path, Prepared(rows, made, {}))
    assert run.model.loss(ids, torch.ones(1, 20)).item() < before / 2


def test_interrupted_run_ends_like_an_uninterrupted_one(recipe: Recipe, made: Tokenizer, tmp_path: Path) -> None:
    data = Prepared(encoded(60), made, {})
    whole = train(recipe, _folder(tmp_path / "whole"), data)
    # The schedule is the same: it stops early only because nothing more was asked of it.
    early = replace(recipe, schedule=replace(recipe.schedule, steps=5, decay=0.0))
    train(early, _folder(tmp_path / "parts"), data)
    parts = train(recipe, tmp_path / "parts", data)
    assert parts.step == whole.step
    for one, other in zip(whole.model.parameters(), parts.model.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_exported_model_is_the_trained_one(recipe: Recipe, loaded: Loaded, tmp_path: Path) -> None:
    tokenizer.save(loaded.tokenizer, tmp_path / "made", TINY.context)
    export(loaded.model, recipe, tmp_path / "made", tmp_path / "out", {})
    again = load(tmp_path / "out")
    assert again.model.cfg == TINY
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value.to(torch.bfloat16).float())


def test_another_run_goes_on_from_an_exported_model(
    recipe: Recipe, loaded: Loaded, made: Tokenizer, tmp_path: Path
) -> None:
    tokenizer.save(loaded.tokenizer, tmp_path / "made", TINY.context)
    facts: dict[str, object] = {"steps": recipe.schedule.steps, "seen_tokens": 700, "seconds": 3}
    export(loaded.model, recipe, tmp_path / "made", tmp_path / "out", facts)
    run = train(recipe, _folder(tmp_path / "next"), Prepared(encoded(60), made, {}), tmp_path / "out")
    assert (run.step, run.tokens, run.seconds) == (recipe.schedule.steps, 700, 3.0)
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(run.model.state_dict()[name], value.to(torch.bfloat16).float())


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_recipe_file_is_read(name: str) -> None:
    recipe = read(ROOT / "training" / "configs" / f"{name}.toml")
    assert recipe.name == name


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_recipe_keeps_the_package_below_40_megabytes(name: str) -> None:
    model = NanoModel(read(ROOT / "training" / "configs" / f"{name}.toml").model)
    assert 2 * sum(weight.numel() for weight in model.parameters()) <= 40e6


def test_unknown_key_in_a_recipe_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.toml"
    path.write_text("[schedule]\nsteeps = 3\n")
    with pytest.raises(TypeError, match="steeps"):
        read(path)
