"""The figures of `aggregation.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Curve = Sequence[tuple[float, float]]
MARKERS = {"Beta": "o", "windows": "s", "supermajority": "^"}


mpl.use("svg")


def plot_adaptive(path: Path, curves: Mapping[str, Mapping[str, Curve]], votes: Mapping[str, float]) -> None:
    """Mean samples against accuracy, one panel an order of the candidates."""
    figure, panels = plt.subplots(1, len(curves), figsize=(10, 4), sharey=True, squeeze=False)
    for axes, (order, families) in zip(panels[0], curves.items(), strict=True):
        for family, points in families.items():
            axes.plot(*zip(*sorted(points), strict=True), marker=MARKERS[family], label=family)
        axes.axhline(votes[order], color="grey", linestyle="--", label="vote over 13")
        _finish(axes, f"candidates in {order} order", "mean samples", "accuracy, %")
    _save(figure, path)


def plot_judges(path: Path, curves: Mapping[str, Curve]) -> None:
    """Cost against accuracy: the vote's curve, and one for each method and reliability of the judge."""
    methods = sorted({name.partition(",")[0] for name in curves} - {"vote"})
    figure, panels = plt.subplots(1, len(methods), figsize=(10, 4), sharey=True, squeeze=False)
    for axes, method in zip(panels[0], methods, strict=True):
        axes.plot(*zip(*curves["vote"], strict=True), color="black", marker=".", label="vote over 1 to 13")
        for name, points in curves.items():
            if name.startswith(method):
                axes.plot(*zip(*points, strict=True), marker="o", label=name.partition(", ")[2])
        _finish(axes, method, "cost of a question, tokens written", "accuracy, %")
    _save(figure, path)


def _finish(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    # The same numbers give the same file.
    with mpl.rc_context({"svg.hashsalt": "abaci"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
    print(f"\nfigure: {path}")
