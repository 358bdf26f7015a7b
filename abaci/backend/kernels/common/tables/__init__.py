"""Tilings, one table an architecture, and the rule that finds a launch's row in it."""
