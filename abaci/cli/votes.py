"""Votes as bars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.text import Text

from abaci.cli.progress import RunProgress
from abaci.cli.terminal import one_line
from abaci.types import Bucket

MAX_BAR: Final = 40
MAX_NAME: Final = 24
EIGHTHS: Final = " ▏▎▍▌▋▊▉"


def vote_bars(progress: RunProgress, width: int, rows: int) -> Iterator[Text]:
    """Exactly `rows` lines: the largest buckets first, the rest summed up, blank where there are fewer."""
    buckets = progress.buckets
    if not buckets:
        yield Text("no votes yet", style="dim")
        yield from (Text() for _ in range(rows - 1))
        return
    shown = buckets if len(buckets) <= rows else buckets[: max(1, rows - 1)]
    yield from bucket_lines(shown, width)
    rest = len(buckets) - len(shown)
    if rest and rows > len(shown):
        yield Text(f"and {rest} further answers", style="dim")
    yield from (Text() for _ in range(rows - len(shown) - (1 if rest else 0)))


def bucket_lines(buckets: tuple[Bucket, ...], width: int) -> Iterator[Text]:
    """One line a bucket: its answer, a bar as long as its share, and its chains; the first is the leader."""
    names = [one_line(bucket.answer.raw, min(MAX_NAME, max(4, width // 3))) for bucket in buckets]
    name_width = max((Text(name).cell_len for name in names), default=0)
    bar_width = max(4, min(MAX_BAR, width - name_width - 14))
    for position, (name, bucket) in enumerate(zip(names, buckets, strict=True)):
        style = "green" if position == 0 else "bright_black"
        line = Text(name, style="bold green" if position == 0 else "default")
        line.append(" " * (name_width - line.cell_len + 2))
        line.append(_bar(bucket.share, bar_width), style=style)
        line.append(f" {len(bucket.chains)}", style="default" if position == 0 else "dim")
        line.append(f" · {bucket.share:.0%}", style="dim")
        yield line


def _bar(share: float, width: int) -> str:
    eighths = max(1, round(share * width * 8))
    whole, rest = divmod(eighths, 8)
    return "█" * whole + (EIGHTHS[rest] if rest else "")
