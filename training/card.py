# ruff: noqa: E501 - the card's paragraphs are long lines
"""Write the model card (README.md in the model's folder) from training.json and metrics.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_TITLES = {
    "numbers": "held-out numbers",
    "phrasings": "held-out phrasings",
    "families": "held-out families",
    "svamp": "SVAMP",
    "gsm8k": "GSM8K test",
}


def write(folder: Path) -> None:
    """Write `folder`/README.md."""
    facts = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    path = folder / "metrics.json"
    figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    (folder / "README.md").write_text(
        "\n".join([*_what(facts), *_how(facts), *_measured(figures)]) + "\n", encoding="utf-8"
    )


def _what(facts: dict[str, Any]) -> list[str]:
    """What the model is and is not."""
    sizes = facts["recipe"]["model"]
    return [
        "# abaci nano",
        "",
        f"A Llama-architecture model of {_parameters(sizes) / 1e6:.2f} million parameters ({sizes['layers']} layers, hidden size"
        f" {sizes['hidden']}, {sizes['heads']} heads, {sizes['kv_heads']} key-value heads, {sizes['vocab']} tokens, context"
        f" {sizes['context']}; bf16, tied embeddings), trained from scratch for this project and shipped with it, so that the"
        " first run needs neither a GPU, an account nor a download.",
        "",
        "It writes tool-integrated chains in ToRA's format: a line of rationale, a Python program, and, after reading the"
        " program's output, the boxed answer. It knows the kinds of problem that `training/families` generates, in English. It"
        " is there to make the whole system run, be tried and be tested; for real problems name a real model. It refuses what is"
        " not mathematics, but nothing more should be expected of a model of this size: it has no world knowledge, cannot chat,"
        " and will answer confidently and wrongly when a problem is unlike its training data.",
        "",
        "## Prompt format (`nano`)",
        "",
        "```` text",
        "<|user|>",
        "{question}",
        "<|assistant|>",
        "````",
        "",
        "and a newline. `<|user|>`, `<|assistant|>`, `<|end|>` (end of sequence) and `<|pad|>` are special tokens; the fences"
        " ```` ```python ````, ```` ```output ```` and ```` ``` ```` are single ordinary tokens. Generation stops at the text"
        " ```` ```output ```` or at `<|end|>`. The executor appends a newline, the program's output (for a failed program the last"
        " line of its traceback), a newline, ```` ``` ```` and a newline; the model goes on with another program or with"
        " `The answer is $\\boxed{…}$.<|end|>`. A refusal holds no box.",
        "",
    ]


def _how(facts: dict[str, Any]) -> list[str]:
    """The recipe."""
    recipe, data = facts["recipe"], facts["data"]
    counts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in data["counts"].items())
    return [
        "## Training",
        "",
        f"- Recipe: `training/configs/{recipe['name']}.toml`; seed {recipe['seed']}; `python -m training.train --config"
        f" training/configs/{recipe['name']}.toml` makes it again.",
        f"- Data: {data['rows']} rows, {data['tokens'] / 1e6:.2f} million tokens ({counts}), SHA-256 `{data['sha256']}`. Generated"
        " by `training/families`, every program executed and its output compared with an answer known without it where there is"
        " one; and from GSM8K's training part (openai/grade-school-math, MIT), as it is and with new numbers.",
        "- No training question shares 8 consecutive words with a question of GSM8K test, GSM-Hard, SVAMP, MATH test, MATH-500,"
        " AIME 2024, AMC 2023, OlympiadBench or Minerva Math.",
        f"- {data['steps']} steps, {data['seen_tokens'] / 1e6:.2f} million tokens seen, {data['seconds'] / 60:.0f} minutes on"
        f" {_cores(recipe['threads'])}; Muon for matrices, AdamW for the rest."
        if recipe["device"] == "cpu"
        else f"- {data['steps']} steps, {data['seen_tokens'] / 1e6:.2f} million tokens seen, {data['seconds'] / 60:.0f} minutes.",
        *(f"- {remark}" for remark in data.get("remarks", ())),
        "",
    ]


def _measured(figures: dict[str, Any] | None) -> list[str]:
    """The table of figures."""
    if figures is None:
        return ["## Measured", "", "Not measured yet: `python -m training.evaluate --is-kept`."]
    lines = [
        "## Measured",
        "",
        f"{figures['date']}, {figures['machine']}; `python -m training.evaluate`. Greedy pass@1 and the majority of 8 chains at"
        " temperature 0.7; without the executor the model has to make up its programs' outputs.",
        "",
        "| set | problems | pass@1 | majority of 8 (problems) | pass@1 without executor |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, row in figures["sets"].items():
        vote = next((key for key in row if key.startswith("maj@")), None)
        voted = f"{row[vote]:.1%} ({row['maj problems']})" if vote else "-"
        lines.append(
            f"| {_TITLES.get(name, name)} | {row['problems']} | {row['pass@1']:.1%} | {voted} |"
            f" {row['pass@1 without executor']:.1%} |"
        )
    return lines


def _cores(count: int) -> str:
    return "one CPU core" if count == 1 else f"{count} CPU cores"


def _parameters(sizes: dict[str, int]) -> int:
    """Number of weights of a model of these sizes."""
    head = sizes["hidden"] // sizes["heads"]
    attention = sizes["hidden"] * head * (2 * sizes["heads"] + 2 * sizes["kv_heads"])
    layer = attention + 3 * sizes["hidden"] * sizes["intermediate"] + 2 * sizes["hidden"]
    return sizes["vocab"] * sizes["hidden"] + sizes["layers"] * layer + sizes["hidden"]
