"""The `controlplane` command: one file a subcommand, one table of them.

In come arguments; out go an exit code and text for a person. Each subcommand
imports what it needs when it runs, so that `--help` answers at once.
"""
