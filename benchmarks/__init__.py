"""Benchmarks: a claim each, with the peer or the physical limit measured in the same run."""
