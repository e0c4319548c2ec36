"""Beside a real Prometheus and VictoriaMetrics: samples sent there, rules evaluated there."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from controlplane.clock import SystemClock
from tests.support.engines import ENGINES, Engine, running_engine
from tests.support.remote_write import Series, snappy, version_1
from tests.support.service import Service, eventually, running

pytestmark = pytest.mark.slow
_CLOCK: Final = SystemClock()
_SERIES: Final = 30
# Raw samples of some series: name and number of each, instants, values.
Raw = dict[tuple[str, str], list[tuple[float, str]]]

WRITE: Final = {
    "batch_send_deadline": "100ms",
    "min_backoff": "20ms",
    "max_backoff": "200ms",
    "max_samples_per_send": 200,
}


def configuration(url: str, **sections: Any) -> dict[str, Any]:
    """Return a configuration that sends to `url`, at the pace of tests."""
    remote = {"url": url, "name": "there", "queue_config": WRITE}
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "remote_write": [remote],
        **sections,
    }


async def take(service: Service, body: bytes) -> None:
    """Push a body of remote write into a service."""
    headers = {"X-Prometheus-Remote-Write-Version": "0.1.0", "Content-Encoding": "snappy"}
    headers["Content-Type"] = "application/x-protobuf"
    path = "/prometheus/api/v1/write"
    answer = await service.request("POST", path, content=body, headers=headers)
    assert answer.status_code == 204, answer.text


class Pusher:
    """Pushes samples into a service, tick by tick, and remembers them."""

    def __init__(self) -> None:
        self.ticks = 0
        self.pushed: Raw = {}
        self._now = _CLOCK.now() - 600_000

    async def push(self, service: Service, ticks: int) -> None:
        """Push so many ticks of all series, each in a request that is acknowledged."""
        for _ in range(ticks):
            self._now += 1000
            self.ticks += 1
            series: list[Series] = [
                ({"__name__": "pushed", "n": str(n)}, [(self._now, self.ticks * 1000 + n + 0.5)])
                for n in range(_SERIES)
            ]
            await take(service, snappy(version_1(series)))
            for labels, [(time, value)] in series:
                key = (labels["__name__"], labels["n"])
                self.pushed.setdefault(key, []).append((time / 1000, str(value)))


async def raw(source: Engine | Service, expr: str = "pushed[20m]") -> Raw:
    """Return the samples of a range, bit for bit."""
    found = await source.query(expr)
    return {
        (each["metric"]["__name__"], each["metric"].get("n", "")): [
            (time, str(float(value))) for time, value in each["values"]
        ]
        for each in found
    }


async def arrives(there: Engine | Service, wanted: Raw) -> None:
    """Wait until all is there, and nothing else."""

    async def look() -> bool:
        return await raw(there) == wanted

    await eventually(look, "every sample, once")


@pytest.mark.parametrize("message", ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"])
async def test_our_own_receiver_gets_everything(tmp_path: Path, message: str) -> None:
    """One of ours sends to another, in either version of the protocol."""
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    async with running(tmp_path / "there") as there:
        config = configuration(f"{there.url}/prometheus/api/v1/write")
        config["remote_write"][0]["protobuf_message"] = message
        async with running(tmp_path / "here", config) as here:
            pusher = Pusher()
            await pusher.push(here, 20)
            await arrives(there, pusher.pushed)


@pytest.mark.parametrize("name", ENGINES)
async def test_outages_and_kills_lose_nothing(tmp_path: Path, name: str) -> None:
    """The receiver away, we killed meanwhile, both back: every sample that we took in is there."""
    (tmp_path / "here").mkdir()
    pusher = Pusher()
    async with (
        running_engine(name, tmp_path / "there") as there,
        running(tmp_path / "here", configuration(there.write_url)) as here,
    ):
        await pusher.push(here, 20)
        await arrives(there, pusher.pushed)
        await there.stop()
        await pusher.push(here, 30)
        await here.logged("remote write fails")
        await here.kill()
        await here.start()
        await pusher.push(here, 10)
        await there.start()
        await arrives(there, pusher.pushed)
        # Killed while it sends.
        for _ in range(2):
            await pusher.push(here, 5)
            await here.kill()
            await here.start()
        await pusher.push(here, 5)
        assert await here.terminate() == 0
        await arrives(there, pusher.pushed)
        assert here.events("remote write refused") == []
        assert here.events("remote write drops") == []
        assert here.events("remote write goes on at the next start") == []


@pytest.mark.parametrize("name", ENGINES)
async def test_what_we_measure_is_there_too(tmp_path: Path, name: str) -> None:
    """Scrapes, probes and our own metrics, with external labels; metadata where it is kept."""
    (tmp_path / "here").mkdir()
    async with running_engine(name, tmp_path / "there") as there:
        config = configuration(there.write_url)
        config["global"]["external_labels"] = {"cluster": "test"}
        async with running(tmp_path / "here", config) as here:
            await here.register("self", f"{here.url}/health")

            async def probed() -> bool:
                found = await there.query('probe_success{cluster="test", job="self"}')
                return [each["value"][1] for each in found] == ["1"]

            await eventually(probed, "a probe over there")

            async def told() -> bool:
                found = await there.query('controlplane_remote_write_samples_total{remote="there"}')
                return bool(found) and float(found[0]["value"][1]) > 100

            await eventually(told, "our own metrics over there")


def rules(by: str) -> str:
    """Return a rule file whose every rule says by whom it is evaluated."""
    labels = {"labels": {"by": by}}
    texts = {
        "summary": "{{ $labels.instance }} at {{ $value }}",
        "jobs": '{{ with query "count(load)" }}{{ . | first | value }}{{ end }}',
    }
    alerts = {
        "High": "load > 5",
        "Ratio": "sum by (job) (rate(hits_total[1m])) > 0.5",
        "Quiet": 'absent(missing{kind="none"})',
        "Number": "vector(time() > bool 1)",
        "Joined": "load * on (instance) group_left (zone) place > 5",
        "Never": "load > 100",
    }
    group: list[dict[str, Any]] = [
        {"alert": name, "expr": expr, "for": "2s", "annotations": texts, **labels}
        for name, expr in alerts.items()
    ]
    group.append({"record": "job:load:sum", "expr": "sum by (job) (load)", **labels})
    return json.dumps({"groups": [{"name": by, "interval": "1s", "rules": group}]})


def samples(now: int) -> list[Series]:
    """Return what the rules look at, up to some minutes from now: nothing of it goes stale."""
    times = range(now - 120_000, now + 300_000, 5000)
    found: list[Series] = []
    for n in range(4):
        named = {"instance": f"i{n}", "job": f"j{n % 2}"}
        found.append(({"__name__": "load", **named}, [(t, 3.0 * n) for t in times]))
        counted = [(t, float(n * (t - times[0]) // 1000)) for t in times]
        found.append(({"__name__": "hits_total", **named}, counted))
        zone = {"__name__": "place", "instance": f"i{n}", "zone": f"z{n}"}
        found.append((zone, [(t, 1.0) for t in times]))
    return found


def told(alerts: list[dict[str, Any]], by: str) -> list[tuple[Any, ...]]:
    """Return the alerts of one engine as they compare: everything but times, and by whom."""
    mine = [each for each in alerts if each["labels"].pop("by", by) == by]
    return sorted(
        (sorted(each["labels"].items()), sorted(each["annotations"].items()), each["state"])
        for each in mine
    )


@pytest.mark.parametrize("name", ENGINES)
async def test_the_same_alerts_wherever_rules_are_evaluated(tmp_path: Path, name: str) -> None:
    """One rule file, by our engine and by theirs: the same alerts, labels and texts."""
    here = tmp_path / "here"
    here.mkdir()
    files = [here / "ours.yml", here / "theirs.yml"]
    for file in files:
        file.write_text(rules(file.stem))
    async with running_engine(name, tmp_path / "there") as there:
        config = configuration(
            there.write_url,
            rule_files=[str(file) for file in files],
            datasource={"url": there.url},
            rule_settings=[{"match": {"group": "ours"}, "datasource": "local"}],
        )
        async with running(here, config) as service:
            await take(service, snappy(version_1(samples(_CLOCK.now()))))

            async def the_same() -> bool:
                alerts = await service.alerts()
                ours = told(json.loads(json.dumps(alerts)), "ours")
                firing = {dict(each[0])["alertname"] for each in ours if each[2] == "firing"}
                return len(firing) == 5 and ours == told(alerts, "theirs")

            await eventually(the_same, "the same alerts")
            groups = (await service.get("/prometheus/api/v1/rules"))["data"]["groups"]
            assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}

            async def recorded() -> bool:
                found = await there.query('job:load:sum{by="theirs"}')
                values = {each["metric"]["job"]: each["value"][1] for each in found}
                firing = 'ALERTS{alertstate="firing", alertname="High", by="theirs"}'
                return values == {"j0": "6", "j1": "12"} and len(await there.query(firing)) == 2

            await eventually(recorded, "what rules gave, sent back there")
            # Queries to us are answered by the engine that the file names.
            await there.push(
                snappy(version_1([({"__name__": "only_there"}, [(_CLOCK.now(), 1.0)])]))
            )

            async def seen() -> bool:
                return await service.value("only_there") == 1

            await eventually(seen, "a series that is not in our store")


@pytest.mark.parametrize("name", ENGINES)
async def test_what_series_there_are_is_asked_there(tmp_path: Path, name: str) -> None:
    """A dashboard's variables offer what its queries find, by GET and by form."""
    (tmp_path / "here").mkdir()
    now = _CLOCK.now()
    pushed: list[Series] = [
        ({"__name__": "only_there", "shop": shop}, [(now, 1.0)]) for shop in ("a", "b/c")
    ]
    async with (
        running_engine(name, tmp_path / "there") as there,
        running(tmp_path / "here", {"datasource": {"url": there.url}}) as service,
    ):
        await there.push(snappy(version_1(pushed)))
        asked = {"match[]": "only_there", "start": now / 1000 - 60, "end": now / 1000 + 60}

        async def get(path: str) -> Any:
            answer = await service.request("GET", f"/prometheus/api/v1/{path}", params=asked)
            return answer.raise_for_status().json()["data"]

        async def known() -> bool:
            return bool(await get("label/shop/values") == ["a", "b/c"])

        await eventually(known, "the values of a label that is not in our store")
        assert await get("labels") == ["__name__", "shop"]
        found = sorted(await get("series"), key=lambda each: str(each["shop"]))
        assert found == [labels for labels, _ in pushed]
        for path, told in (("series", 2), ("labels", 2)):
            answer = await service.request("POST", f"/prometheus/api/v1/{path}", data=asked)
            assert len(answer.json()["data"]) == told


@pytest.mark.parametrize("name", ENGINES)
async def test_an_engine_that_goes_away(tmp_path: Path, name: str) -> None:
    """Rules say why they fail; what fires goes on, over a kill of ours too, and then ends."""
    file = tmp_path / "r.yml"
    text = {"alert": "High", "expr": "load > 5", "for": "1s"}
    file.write_text(json.dumps({"groups": [{"name": "g", "interval": "1s", "rules": [text]}]}))
    here = tmp_path / "here"
    here.mkdir()
    async with running_engine(name, tmp_path / "there") as there:
        await there.push(snappy(version_1(samples(_CLOCK.now()))))
        config = {
            "rule_files": [str(file)],
            "rule_settings": [
                {"match": {"group": "g"}, "datasource": {"url": there.url, "timeout": "500ms"}}
            ],
        }
        async with running(here, config) as service:

            async def firing() -> bool:
                found = await service.alerts()
                return [each["state"] for each in found] == ["firing", "firing"]

            async def failing() -> bool:
                groups = (await service.get("/prometheus/api/v1/rules"))["data"]["groups"]
                rule = groups[0]["rules"][0]
                return rule["health"] == "err" and "datasource" in rule["lastError"]

            await eventually(firing, "two alerts")
            since = {
                each["labels"]["instance"]: each["activeAt"] for each in await service.alerts()
            }
            await there.stop()
            await eventually(failing, "a rule that fails")
            await service.kill()
            await service.start()
            await eventually(failing, "a rule that fails")
            assert await firing()
            again = {
                each["labels"]["instance"]: each["activeAt"] for each in await service.alerts()
            }
            assert again == since
            await there.start()

            async def well() -> bool:
                groups = (await service.get("/prometheus/api/v1/rules"))["data"]["groups"]
                return bool(groups[0]["rules"][0]["health"] == "ok")

            await eventually(well, "a rule that is evaluated")
            assert await firing()
