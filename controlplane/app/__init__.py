"""The composition root: here the packages meet, and nowhere else.

In come process settings and the file's configuration; out comes a running
service. `build.py` makes everything in one straight line, `lifecycle.py` starts
and ends it, `reloader.py` swaps the configuration. It holds no domain logic.
"""
