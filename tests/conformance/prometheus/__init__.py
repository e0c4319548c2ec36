"""Beside a real Prometheus, as its peer: what it sends us, asks of us and answers itself."""
