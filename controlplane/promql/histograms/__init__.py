"""Arithmetic of native histograms, one or two samples at a time.

In come `FloatHistogram` values; out go others, or numbers: sums, differences,
quantiles, fractions, what is left after trimming. Reconciles schemas, zero
buckets and custom bounds as upstream does, and says when it had to. Knows
nothing of vectors, plans or where samples come from.
"""
