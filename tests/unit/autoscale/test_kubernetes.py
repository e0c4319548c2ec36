"""The scale subresource, against a stand-in that answers as the API server's documentation says."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.autoscale.kubernetes import KubernetesScales
from controlplane.autoscale.options import WorkloadOptions
from controlplane.errors import Forbidden, NotFound, Unavailable
from tests.support.web import Web, answer, web

_SHOP = "/apis/apps/v1/namespaces/prod/deployments/shop/scale"
_SCALE = {
    "kind": "Scale",
    "apiVersion": "autoscaling/v1",
    "metadata": {"name": "shop", "namespace": "prod"},
    "spec": {"replicas": 4},
    "status": {"replicas": 4, "selector": "app=shop"},
}


def kubeconfig(directory: Path, url: str) -> str:
    """Write a kubeconfig for a cluster at `url`, with a token, and return its path."""
    path = directory / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "c",
                "clusters": [{"name": "k", "cluster": {"server": url}}],
                "users": [{"name": "u", "user": {"token": "t0ken"}}],
                "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            }
        )
    )
    return str(path)


@asynccontextmanager
async def cluster(
    directory: Path, respond: bytes | Callable[[str], bytes]
) -> AsyncIterator[tuple[Web, KubernetesScales, WorkloadOptions]]:
    """Give a stand-in, the scales, and a workload there."""
    async with web(respond) as site:
        scales = KubernetesScales()
        try:
            path = kubeconfig(directory, site.url("").rstrip("/"))
            yield site, scales, WorkloadOptions("shop", "prod", kubeconfig=path)
        finally:
            await scales.close()


def as_json(document: object, status: str = "200 OK") -> bytes:
    return answer(status, json.dumps(document).encode(), ("Content-Type: application/json",))


async def test_a_scale_is_read(tmp_path: Path) -> None:
    """`spec.replicas` of the workload's scale, with the credentials of the kubeconfig."""
    async with cluster(tmp_path, as_json(_SCALE)) as (site, scales, shop):
        assert await scales.read(shop) == 4
    assert site.requests[0].startswith(f"GET {_SHOP} HTTP/1.1\r\n")
    assert "authorization: bearer t0ken" in site.requests[0].lower()


async def test_a_scale_of_zero_is_left_out(tmp_path: Path) -> None:
    """Go omits what is zero."""
    async with cluster(tmp_path, as_json({**_SCALE, "spec": {}})) as (_, scales, shop):
        assert await scales.read(shop) == 0


async def test_a_scale_is_patched(tmp_path: Path) -> None:
    """By a merge patch of the number and nothing else."""
    async with cluster(tmp_path, as_json(_SCALE)) as (site, scales, shop):
        await scales.write(shop, 6)
    head, _, body = site.requests[0].partition("\r\n\r\n")
    assert head.startswith(f"PATCH {_SHOP} HTTP/1.1\r\n")
    assert "content-type: application/merge-patch+json" in head.lower()
    assert json.loads(body) == {"spec": {"replicas": 6}}


async def test_any_workload_has_its_path(tmp_path: Path) -> None:
    """Group, version and resource are those that the policy names."""
    async with cluster(tmp_path, as_json(_SCALE)) as (site, scales, shop):
        await scales.read(replace(shop, api_version="argoproj.io/v1alpha1", kind="Rollout"))
        await scales.read(replace(shop, kind="Octopus", resource="octopodes"))
    assert [each.split(" ")[1] for each in site.requests] == [
        "/apis/argoproj.io/v1alpha1/namespaces/prod/rollouts/shop/scale",
        "/apis/apps/v1/namespaces/prod/octopodes/shop/scale",
    ]


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("404 Not Found", NotFound, "no such workload"),
        ("403 Forbidden", Forbidden, "get and patch on its scale must be allowed"),
        ("409 Conflict", Unavailable, "status 409"),
        ("500 Oops", Unavailable, "status 500"),
    ],
)
async def test_what_a_cluster_refuses(
    tmp_path: Path, status: str, error: type[Exception], words: str
) -> None:
    """Each refusal is an error of ours that says what to do."""
    refusal = {"kind": "Status", "status": "Failure", "code": int(status[:3])}
    async with cluster(tmp_path, as_json(refusal, status)) as (_, scales, shop):
        with pytest.raises(error, match=words):
            await scales.read(shop)


async def test_no_cluster(tmp_path: Path) -> None:
    """Nobody listens; no file; no pod around us."""
    scales = KubernetesScales()
    try:
        away = WorkloadOptions("shop", kubeconfig=kubeconfig(tmp_path, "http://127.0.0.1:1"))
        for workload in (away, replace(away, kubeconfig="/nowhere"), WorkloadOptions("shop")):
            with pytest.raises(Unavailable):
                await scales.read(workload)
    finally:
        await scales.close()
