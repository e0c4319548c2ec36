"""The scale subresource of workloads, through kubernetes-asyncio (the extra `autoscaling`).

Nothing but `scale` of the workloads that policies name is read and patched:
`get` and `patch` on it is all that a role has to allow. Requests are the
library's own: they do not pass the outbound policy, for their address is the
operator's and no user's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from controlplane.autoscale.options import WorkloadOptions
from controlplane.errors import Forbidden, NotFound, Unavailable


class KubernetesScales:
    """Implements `ports.Scales`. A client is kept for each cluster until `close`."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = asyncio.Lock()

    async def read(self, workload: WorkloadOptions) -> int:
        """Return `spec.replicas`, which is 0 where the answer leaves it out."""
        async with self._scale(workload) as (api, place):
            found = await api.get_namespaced_custom_object_scale(**place)
        return int(found.get("spec", {}).get("replicas", 0))

    async def write(self, workload: WorkloadOptions, replicas: int) -> None:
        """Patch `spec.replicas` and nothing else."""
        async with self._scale(workload) as (api, place):
            await api.patch_namespaced_custom_object_scale(
                **place,
                body={"spec": {"replicas": replicas}},
                _content_type="application/merge-patch+json",
            )

    async def close(self) -> None:
        """Close every connection."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.close()

    @asynccontextmanager
    async def _scale(self, workload: WorkloadOptions) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
        """Give the API and where the scale is; whatever fails is one of our errors."""
        library = _library()
        group, _, version = workload.api_version.partition("/")
        seconds = workload.timeout / 1000
        place = {
            "group": group,
            "version": version,
            "namespace": workload.namespace,
            "plural": workload.plural,
            "name": workload.name,
            "_request_timeout": seconds,
        }
        try:
            async with asyncio.timeout(seconds + 1):
                async with self._making:
                    client = await self._client(library, workload)
                yield library.client.CustomObjectsApi(client), place
        except library.client.ApiException as error:
            said = f"{workload}: the cluster answered with status {error.status}"
            if error.status == 404:
                raise NotFound(f"{said}: there is no such workload") from None
            if error.status in (401, 403):
                raise Forbidden(f"{said}: get and patch on its scale must be allowed") from None
            raise Unavailable(said) from None
        except library.config.ConfigException as error:
            raise Unavailable(f"{workload}: no cluster: {error}") from None
        except TimeoutError:
            raise Unavailable(f"{workload}: no answer within {seconds:g} s") from None
        except (OSError, library.client_error) as error:
            raise Unavailable(f"{workload}: {type(error).__name__}: {error}") from None

    async def _client(self, library: "_Library", workload: WorkloadOptions) -> Any:
        key = (workload.kubeconfig, workload.context)
        if key not in self._clients:
            if workload.kubeconfig:
                made = await library.config.new_client_from_config(
                    config_file=workload.kubeconfig,
                    context=workload.context or None,
                    persist_config=False,
                )
            else:
                settings = library.client.Configuration()
                library.config.load_incluster_config(client_configuration=settings)
                made = library.client.ApiClient(configuration=settings)
            self._clients[key] = made
        return self._clients[key]


class _Library:
    """The parts of kubernetes-asyncio that are used, imported late: that takes a second."""

    def __init__(self) -> None:
        import aiohttp  # noqa: PLC0415 - as said
        from kubernetes_asyncio import client, config  # noqa: PLC0415 - as said

        self.client, self.config = client, config
        self.client_error = aiohttp.ClientError


def _library() -> _Library:
    try:
        return _Library()
    except ImportError:
        raise Unavailable(
            "scaling in Kubernetes needs kubernetes-asyncio: install controlplane[autoscaling]"
        ) from None
