"""Benchmarks: one command per claim, medians of several runs, the limit beside the figure."""
