"""The prober and a certificate authority, for every test here."""

import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.unit.probes.rig import Rig, rig


@pytest.fixture
async def prober() -> AsyncIterator[Rig]:
    """Probes on demand that may speak to everything but one address."""
    async with rig() as made:
        yield made


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority that nobody trusts unless told to."""
    return trustme.CA()


@pytest.fixture(scope="session")
def context(authority: trustme.CA) -> ssl.SSLContext:
    """A server's TLS for localhost and 127.0.0.1."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(made)
    return made
