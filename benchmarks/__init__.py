"""Speeds, as ratios to the peers in the same run. `python -m benchmarks NAME...`."""
