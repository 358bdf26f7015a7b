"""Measure on data sets: offline replay, grading and voting, and batch runs."""
