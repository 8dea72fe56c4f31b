"""From rows to vectors: plans, keys as callers write them, and what an answer holds."""
