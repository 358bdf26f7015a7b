"""Exit codes that scripts can rely on."""

from __future__ import annotations

from typing import Final

EXIT_OK: Final = 0
"""Solved, or done."""
EXIT_FAILED: Final = 1
"""No answer, or something that a solve needs does not work."""
EXIT_USAGE: Final = 2
"""The caller has to ask differently."""
EXIT_INTERRUPTED: Final = 130
"""128 + SIGINT, as shells report it."""
