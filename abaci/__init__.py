"""abaci: solve mathematics with many tool-using reasoning chains and merge them into one justified answer."""

from __future__ import annotations

__version__ = "0.1.0"
