"""Unit tests of rules, in the format of `promtool test rules`.

In come test files; out come, for each test, the sentences that say what
differs. Runs the real groups over a store in memory; needs no clock: the file
says what time it is.
"""
