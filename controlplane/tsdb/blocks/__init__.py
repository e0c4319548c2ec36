"""Immutable compressed blocks on disk: what is older than the head's window.

In come the head's samples of a range of time; out go the same samples in whole
columns, found by labels. Needs a directory. Knows nothing of how samples come
in or stay in memory: `keeper` is given functions for that.
"""
