"""The aggregations, one family per file: what the user writes."""
