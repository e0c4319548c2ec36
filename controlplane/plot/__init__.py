"""Draws what an alert is about: its expression as a small PNG around the moment it fired.

In come an expression, the labels of its alerts and two instants; out goes a
picture, or nothing: never an error, never later than its limit. Needs a
`RangeQuery` and a thread of its own. Must not know rules, messages or who
is to see the picture.
"""
