"""Measuring images under a benchmark, and ranking the results."""
