"""Attention over the first tokens (sinks) and a rolling window of the last ones."""
