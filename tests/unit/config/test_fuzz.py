"""Whatever is written: a Config or a ConfigError, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.config.config import Config
from controlplane.config.document import Context, document
from controlplane.config.loader import load
from controlplane.config.render import render
from controlplane.config.schema import Section
from controlplane.errors import ConfigError
from tests.unit.config.reading import DATA

_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.sampled_from(["5s", "1d", "10MB", "http://x/y", "r", "(", "a=b", "...", "replace", "TLS12"]),
)
_ANYTHING = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def _like(section: Section[Any], depth: int) -> st.SearchStrategy[Any]:
    """Return mappings with the section's own keys, and anything or the right shape under them."""
    values = {
        name: st.one_of(
            _ANYTHING,
            *(
                shape
                for below in (key.kind.sections() if depth else ())
                for shape in (
                    _like(below, depth - 1),
                    st.lists(_like(below, depth - 1), max_size=2),
                )
            ),
        )
        for name, key in section.keys.items()
    }
    return st.fixed_dictionaries({}, optional=values)


def attempt(path: Path) -> Config | None:
    """Load a file; None when it is refused, as it should be: with file and line."""
    try:
        return load(path)
    except ConfigError as error:
        nameless = [problem for problem in error.problems if not problem.file or problem.line < 1]
        if nameless:
            pytest.fail(f"problems without a place: {nameless}")
        return None


_FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.slow
@_FUZZ
@given(st.binary(max_size=200))
def test_random_bytes(tmp_path: Path, raw: bytes) -> None:
    """Bytes that are no YAML, or no UTF-8, are refused by line."""
    path = tmp_path / "f.yml"
    path.write_bytes(raw)
    attempt(path)


@pytest.mark.slow
@_FUZZ
@given(_like(document(Context()), 2))
def test_random_shapes(tmp_path: Path, plain: Any) -> None:
    """Our own keys with anything under them: refused, or taken and shown again."""
    path = tmp_path / "f.yml"
    path.write_text(yaml.safe_dump(plain))
    config = attempt(path)
    if config is not None:
        assert yaml.safe_load(render(config))


@pytest.mark.slow
@_FUZZ
@given(st.data(), st.sampled_from(["prometheus.yml", "alertmanager.yml", "blackbox.yml"]))
def test_damaged_files(tmp_path: Path, data: st.DataObject, name: str) -> None:
    """A real file with a piece cut out or put in never breaks the reader."""
    text = (DATA / name).read_text()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    path = tmp_path / "f.yml"
    path.write_text(
        text[:start] + data.draw(st.text("{}[]:-,'\"|>&*!~ \n0a", max_size=5)) + text[end:]
    )
    attempt(path)


@pytest.mark.parametrize("depth", [49, 3000])
def test_deep_routes(tmp_path: Path, depth: int) -> None:
    """A tree of routes as deep as YAML may be is read; a deeper one is refused."""
    path = tmp_path / "f.yml"
    tree = "{receiver: r, routes: [" * depth + "]}" * depth
    path.write_text(f"route: {tree}\nreceivers: [{{name: r}}]\n")
    assert (attempt(path) is not None) == (depth == 49)
