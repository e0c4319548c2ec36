"""`/api/v1/discovery/prometheus`: what a Prometheus elsewhere is told to scrape."""

from typing import Any

import httpx

from tests.unit.api.test_targets import register

_PATH = "/api/v1/discovery/prometheus"
_META = "__meta_controlplane_"


async def groups(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Return the answer, whose type is the only one that Prometheus takes."""
    answer = await api.get(_PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_a_service_is_found_where_its_metrics_are(api: httpx.AsyncClient) -> None:
    """Address, scheme, path, parameters and pace are those of `metrics_url`, the labels ours."""
    url = "https://[fd00::5]:9443/own/metrics?module=a&module=b&empty="
    target = await register(api, metrics_url=url, labels={"team": "shop"}, interval="5s")
    assert await groups(api) == [
        {
            "targets": ["[fd00::5]:9443"],
            "labels": {
                "job": "shop",
                "instance": "http://10.0.0.5/",
                "team": "shop",
                "__scheme__": "https",
                "__metrics_path__": "/own/metrics",
                "__param_module": "a",
                "__param_empty": "",
                "__scrape_interval__": "5s",
                "__scrape_timeout__": "5s",
                f"{_META}target_id": target["id"],
                f"{_META}target_name": "shop",
                f"{_META}module": "http_2xx",
                f"{_META}provenance": "api",
            },
        }
    ]


async def test_a_long_interval_does_not_lengthen_the_scrape(api: httpx.AsyncClient) -> None:
    """The time-out stays at that of our own scrapes; without an interval the finder's is used."""
    await register(api, metrics_url="http://10.0.0.5", interval="5m")
    labels = (await groups(api))[0]["labels"]
    assert (labels["__scrape_interval__"], labels["__scrape_timeout__"]) == ("5m", "10s")
    assert labels["__metrics_path__"] == "/"
    await register(api, metrics_url="http://10.0.0.5")
    assert "__scrape_interval__" not in (await groups(api))[0]["labels"]


async def test_what_is_not_scraped_is_not_listed(api: httpx.AsyncClient) -> None:
    """Neither a service without metrics nor one that is paused."""
    await register(api, "probed")
    target = await register(api, metrics_url="http://10.0.0.5/metrics")
    assert len(await groups(api)) == 1
    merge = {"content-type": "application/merge-patch+json"}
    path = f"/api/v1/targets/{target['id']}"
    assert (await api.patch(path, content=b'{"paused": true}', headers=merge)).status_code == 200
    assert await groups(api) == []


async def test_names_that_an_older_prometheus_refuses_are_left_out(api: httpx.AsyncClient) -> None:
    """One of them would cost it all of the answer."""
    await register(
        api,
        metrics_url="http://10.0.0.5/metrics?match[]=up",
        labels={"service.name": "shop", "größe": "xl", "tier": "web"},
    )
    labels = (await groups(api))[0]["labels"]
    assert {"service.name", "größe", "__param_match[]"}.isdisjoint(labels)
    assert labels["tier"] == "web"


async def test_what_an_operator_says_of_labels_holds_here_too(api: httpx.AsyncClient) -> None:
    """Overrides are over the registration's labels, as on our own series."""
    target = await register(api, metrics_url="http://10.0.0.5/metrics", labels={"team": "shop"})
    merge = {"content-type": "application/merge-patch+json"}
    body = b'{"label_overrides": {"team": "infra"}}'
    path = f"/api/v1/targets/{target['id']}"
    assert (await api.patch(path, content=body, headers=merge)).status_code == 200
    assert (await groups(api))[0]["labels"]["team"] == "infra"
