"""The composition root: supervision, reloads, jobs."""
