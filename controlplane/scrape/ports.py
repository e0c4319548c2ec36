"""What scraping needs of others: somebody who fetches a page. (And an Appender, in tsdb/ports.)"""

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


class Fetch(Protocol):
    """Asks a target for its page; takes at most the job's time-out, and raises nothing."""

    async def __call__(self, job: ScrapeJob) -> Fetched: ...
