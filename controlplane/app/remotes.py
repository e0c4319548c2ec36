"""What an engine elsewhere is asked in our place, and told of what we hold."""

from controlplane.app.reloader import Reloader
from controlplane.ingest.receiver import Receiver
from controlplane.scrape.pool import ScrapePool
from controlplane.tsdb.remote.engines import Engine as RemoteEngine
from controlplane.tsdb.remote.engines import Engines
from controlplane.tsdb.remote.ports import Family


def elsewhere(engines: Engines, reloader: Reloader) -> RemoteEngine | None:
    """Return the engine that answers queries in place of ours, if the file names one."""
    datasource = reloader.config.datasource
    return None if datasource is None else engines.engine(datasource)


def families(scrapes: ScrapePool, receiver: Receiver) -> dict[str, Family]:
    """Return what is known of metric families: those pushed, and over them those scraped."""
    found = {
        name: Family(said.type, said.help, said.unit)
        for name, said in receiver.metadata.families().items()
    }
    for _, told in scrapes.metadata():
        for name, seen in told.items():
            found[name] = Family(seen.type, seen.help, seen.unit)
    return found
