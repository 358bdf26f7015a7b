"""Answers as text: extract them, normalise them, compare them exactly. Pure; model text is never evaluated."""
