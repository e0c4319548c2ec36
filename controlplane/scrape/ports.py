"""What scraping needs of others: somebody who fetches a page. (And an Appender, in tsdb/ports.)"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from controlplane.scrape.job import Failure, ScrapeJob


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body, decompressed, or the reason why there is none."""

    body: bytes = b""
    content_type: str = ""
    failure: Failure | None = None
    error: str = ""


# Gets a target's page once; takes at most the job's time-out, and raises nothing.
Get = Callable[[], Awaitable[Fetched]]


class Fetch(Protocol):
    """Makes ready to ask a target again and again. Must not raise: the Get tells what is wrong."""

    def __call__(self, job: ScrapeJob) -> Get: ...
