"""The text a problem becomes: the prompt style `nano`, and the weight each part has in training.

    <|user|>
    {question}
    <|assistant|>
    {rationale}
    ```python
    {program}
    ```
    ```output
    {output}
    ```
    The answer is $\\boxed{…}$.<|end|>

Generation stops at the text ```` ```output ````; the executor appends a newline, the output, a newline, three backticks
and a newline. Every part begins or ends at a newline or a special token, so encoding the parts one by one gives the
same tokens as encoding the whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from training.problem import Row

USER, ASSISTANT, END, PAD = "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"
FENCES = ("```python", "```output", "```")
STOP = "```output"
OUTPUT_CHARS = 400
"""Longer outputs are cut in the middle, as ToRA does."""


@dataclass(frozen=True)
class Weights:
    """How much each kind of token counts in the loss."""

    prompt: float = 0.1
    written: float = 1.0
    output: float = 0.1
    mistake: float = 0.0


def prompt(question: str) -> str:
    """What the model is given."""
    return f"{USER}\n{question}\n{ASSISTANT}\n"


def after_stop(output: str) -> str:
    """What the executor appends after the stop string."""
    if len(output) > OUTPUT_CHARS:
        output = output[: OUTPUT_CHARS // 2] + "..." + output[-OUTPUT_CHARS // 2 :]
    return f"\n{output}\n```\n"


def boxed(answer: str) -> str:
    """The closing sentence."""
    return f"The answer is $\\boxed{{{answer}}}$."


def parts(row: Row, weights: Weights) -> list[tuple[str, float]]:
    """The row's text in pieces with their weights."""
    result = [(prompt(row.question), weights.prompt)]
    lead = row.rationale
    for index, (program, output) in enumerate(row.turns):
        is_mistake = index < len(row.turns) - 1
        weight = weights.mistake if is_mistake else weights.written
        result.append((f"{lead}\n```python\n{program}\n```\n{STOP}", weight))
        result.append((after_stop(output), weights.output))
        lead = row.notes[index] if index < len(row.notes) else ""
    if row.answer is None:
        result.append((row.rationale + END, weights.written))
    else:
        before = "" if row.turns else f"{row.rationale}\n"
        result.append((before + boxed(row.answer) + END, weights.written))
    return result


def text(row: Row) -> str:
    """The whole text."""
    return "".join(piece for piece, _ in parts(row, Weights()))
