"""`metadata` and `targets/metadata`: what targets and senders say of their metrics."""

from collections.abc import Iterator, Mapping

from fastapi import APIRouter

from controlplane.api.prometheus.encode import Json, success
from controlplane.api.prometheus.parameters import Given, Parameters
from controlplane.api.selectors import selectors
from controlplane.api.surface import On, Surface
from controlplane.errors import InvalidInput
from controlplane.model.labels import EMPTY, Labels
from controlplane.model.matchers import matches_all

router = APIRouter(prefix="/prometheus/api/v1", tags=["prometheus"])


# A target's labels, a family, what is said of it.
Said = tuple[Labels, str, Mapping[str, str]]


@router.get("/metadata")
async def metadata(given: Given, on: On) -> Json:
    """Return what is said of each metric family; targets may differ."""
    limit, each = _limit(given, "limit"), _limit(given, "limit_per_metric") or 0
    wanted = given.text("metric")
    found: dict[str, list[Mapping[str, str]]] = {}
    for _, family, said in _all(on):
        if wanted and family != wanted:
            continue
        if family not in found and limit is not None and len(found) >= limit:
            continue
        known = found.setdefault(family, [])
        if said not in known and (each <= 0 or len(known) < each):
            known.append(said)
    return success(found)


@router.get("/targets/metadata")
async def target_metadata(given: Given, on: On) -> Json:
    """Return what each target says of its metrics."""
    limit, wanted, text = _limit(given, "limit"), given.text("metric"), given.text("match_target")
    matchers = selectors([text])[0] if text else ()
    found: list[Json] = []
    for labels, family, said in _scraped(on):
        if limit is not None and len(found) >= limit:
            break
        if (wanted and family != wanted) or not matches_all(matchers, labels):
            continue
        named = {} if wanted else {"metric": family}
        found.append({"target": dict(labels), **named, **said})
    return success(found)


def _all(on: Surface) -> Iterator[Said]:
    yield from _scraped(on)
    for family, said in on.receiver.metadata.families().items():
        yield EMPTY, family, {"type": said.type, "help": said.help, "unit": said.unit}


def _scraped(on: Surface) -> Iterator[Said]:
    for labels, families in on.metadata():
        for family, said in families.items():
            yield labels, family, {"type": said.type, "help": said.help, "unit": said.unit}


def _limit(given: Parameters, name: str) -> int | None:
    text = given.text(name)
    try:
        limit = int(text) if text else -1
    except ValueError:
        raise InvalidInput(f"{name} must be a number", pointer=f"?{name}") from None
    return None if limit < 0 else limit
