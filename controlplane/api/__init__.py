"""The HTTP surface: ours under `/api/v1`, Prometheus' under `/prometheus`.

In come requests; out go JSON, exposition text and problems. Everything it
needs is handed to it in `Surface`; it decides nothing, and below it nobody
knows HTTP. The one mapping of errors is `problems.py`.
"""
