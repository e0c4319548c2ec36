"""Blocks on disk: their format, their upkeep, and the store with them."""
