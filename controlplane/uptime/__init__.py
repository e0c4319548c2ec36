"""How much of its time a target was up, and what the public is told of it.

In come results of probes, planned maintenance and incidents written by people;
out go rollups by minute, hour and day, and the views of status pages. Needs a
repository for rollups, one for incidents and one for maintenance. It must not
know how a probe works, what SQL is, or how a page looks.
"""
