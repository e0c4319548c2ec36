"""Prometheus' HTTP API under `/prometheus`: its shapes, error types, limits and time formats."""
