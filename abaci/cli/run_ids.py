"""Run ids on the command line."""

from __future__ import annotations

import re
from typing import Final

from abaci.cli.terminal import one_line
from abaci.errors import InvalidInput

RUN_ID: Final = re.compile(r"run_[0-9a-f]{24}")


def check_run_id(text: str) -> str:
    """`text`, which is a run id.

    Raises:
        InvalidInput: it is none; says where to find them.
    """
    if RUN_ID.fullmatch(text) is None:
        raise InvalidInput(
            f"{one_line(text, 60)!r} is no run id: it looks like run_ and 24 hexadecimal digits; "
            "`abaci trace` lists the stored runs"
        )
    return text
