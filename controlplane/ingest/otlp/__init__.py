"""OTLP metrics as Prometheus' samples: `UnderscoreEscapingWithSuffixes`, `target_info`.

In come the bodies of export requests, protobuf or JSON; out go series and
samples, and what was refused: deltas, and histograms that are no classic ones.
"""
