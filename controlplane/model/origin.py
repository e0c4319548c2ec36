"""Where a change was made, as those hear it who follow what is kept in a shared database."""

from enum import StrEnum


class Origin(StrEnum):
    """Whether this replica wrote a change, or another one did.

    Who acts on how things stand follows both. Who passes news on (the ledger,
    the event bus) follows only what was written here: another replica passes on
    the rest.
    """

    HERE = "here"
    ELSEWHERE = "elsewhere"
