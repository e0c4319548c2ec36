"""Label sets: immutable, sorted by name, equal by content."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

METRIC_NAME: Final = "__name__"

_FNV_OFFSET: Final = 14695981039346656037
_FNV_PRIME: Final = 1099511628211
_MASK: Final = (1 << 64) - 1

# Past the immutability.
_set: Final = object.__setattr__

_CLASSIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_CLASSIC_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")


class Labels(Mapping[str, str]):
    """A set of labels. An empty value is the same as no label, so none is kept.

    A store holds hundreds of thousands that nobody looks into: the dictionary
    is made when it is first asked for.
    """

    __slots__ = ("_dict", "_fingerprint", "_hash", "pairs")

    pairs: tuple[tuple[str, str], ...]
    _fingerprint: str
    _dict: dict[str, str]
    _hash: int

    def __init__(
        self,
        labels: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        *,
        fingerprint: str | None = None,
    ) -> None:
        """`fingerprint` is that of these labels, for those who kept it: working it out is slow."""
        pairs = tuple([pair for pair in sorted(dict(labels).items()) if pair[1]])
        _set(self, "pairs", pairs)
        _set(self, "_hash", hash(pairs))
        if fingerprint is not None:
            _set(self, "_fingerprint", fingerprint)

    @classmethod
    def of_sorted(cls, pairs: tuple[tuple[str, str], ...]) -> "Labels":
        """Return the set of pairs that are sorted by name, none of them twice or empty."""
        labels = cls.__new__(cls)
        _set(labels, "pairs", pairs)
        _set(labels, "_hash", hash(pairs))
        return labels

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Labels are immutable")

    def _by_name(self) -> dict[str, str]:
        try:
            return self._dict
        except AttributeError:
            made = dict(self.pairs)
            _set(self, "_dict", made)
            return made

    def __getitem__(self, name: str) -> str:
        return self._by_name()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name())

    def __len__(self) -> int:
        return len(self.pairs)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name()

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels):
            return self.pairs == other.pairs
        return NotImplemented

    def __lt__(self, other: "Labels") -> bool:
        return self.pairs < other.pairs

    def __repr__(self) -> str:
        return f"Labels({self})"

    def __str__(self) -> str:
        """Return the set as Prometheus writes it: `name{a="b"}`."""
        name = self.name
        quoted_name = bool(name) and not is_classic_metric_name(name)
        parts = [_quote(name)] if quoted_name else []
        parts += [
            f"{label if is_classic_label_name(label) else _quote(label)}={_quote(value)}"
            for label, value in self.pairs
            if label != METRIC_NAME
        ]
        prefix = "" if quoted_name else name
        return prefix if prefix and not parts else f"{prefix}{{{', '.join(parts)}}}"

    @property
    def name(self) -> str:
        """The metric name, or an empty string."""
        return self.value(METRIC_NAME)

    def value(self, name: str) -> str:
        """Return the label's value, or an empty string when it is not set.

        Sets are small: looking through one costs no more than a dictionary does, and leaves none.
        """
        for key, text in self.pairs:
            if key == name:
                return text
        return ""

    def share(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Hold these very objects from now on, which are equal to those held so far."""
        _set(self, "pairs", tuple(pairs))

    def keep(self, names: Iterable[str]) -> "Labels":
        """Return the set with only the named labels."""
        wanted = set(names)
        return Labels(pair for pair in self.pairs if pair[0] in wanted)

    def drop(self, *names: str) -> "Labels":
        """Return the set without the named labels."""
        return Labels(pair for pair in self.pairs if pair[0] not in names)

    def merge(self, other: Mapping[str, str]) -> "Labels":
        """Return the set with those of `other` put over it; an empty value removes a label."""
        return Labels({**self._by_name(), **other})

    def fingerprint(self) -> str:
        """Return the 16 hex digits by which Alertmanager's API names this label set.

        FNV-1a, 64 bit, over name, 0xff, value, 0xff in order of names
        (prometheus/common, model.LabelSet.Fingerprint).
        """
        try:
            return self._fingerprint
        except AttributeError:
            _set(self, "_fingerprint", _fnv1a(self.pairs))
            return self._fingerprint


EMPTY: Final = Labels()


def _fnv1a(pairs: Iterable[tuple[str, str]]) -> str:
    digest = _FNV_OFFSET
    for name, value in pairs:
        for byte in b"%b\xff%b\xff" % (name.encode(), value.encode()):
            digest = ((digest ^ byte) * _FNV_PRIME) & _MASK
    return f"{digest:016x}"


def is_classic_label_name(name: str) -> bool:
    """Tell whether `name` needs no quotes as a label name."""
    return _CLASSIC_NAME.match(name) is not None


def is_classic_metric_name(name: str) -> bool:
    """Tell whether `name` needs no quotes as a metric name."""
    return _CLASSIC_METRIC.match(name) is not None


def is_utf8(text: str) -> bool:
    """Tell whether `text` can be written as UTF-8 (it holds no lone surrogate)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
    return f'"{escaped}"'
