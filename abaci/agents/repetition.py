"""Noticing that a model is stuck in a loop."""

from __future__ import annotations

WINDOW_CHARS = 1200
"""How much of the end of a text is looked at."""

MIN_REPEATED_CHARS = 300
MIN_REPEATS = 6


def is_looping(text: str) -> bool:
    """True when `text` ends with one piece written over and over: at least 6 times and 300 characters in all.

    Runs of blanks and of one digit count only when they fill the window, since tables and long numbers have them.
    Linear in the window (the period comes from the prefix function of the reversed tail).
    """
    tail = text[-WINDOW_CHARS:][::-1]
    failure = [0] * len(tail)
    for index in range(1, len(tail)):
        match = failure[index - 1]
        while match and tail[index] != tail[match]:
            match = failure[match - 1]
        failure[index] = match + (tail[index] == tail[match])
        length, period = index + 1, index + 1 - failure[index]
        if period == 1 and length < WINDOW_CHARS:
            continue
        if length >= MIN_REPEATED_CHARS and length >= MIN_REPEATS * period:
            return True
    return False
