"""Warnings and infos beside an answer, with their place in the query."""

from collections.abc import Sequence

from controlplane.promql.ast import Span


class Annotations:
    """The annotations of one evaluation; each text is kept once, at its first place."""

    __slots__ = ("_infos", "_text", "_warnings")

    def __init__(self, text: str) -> None:
        self._text = text
        self._warnings: dict[str, str] = {}
        self._infos: dict[str, str] = {}

    def warn(self, message: str, span: Span) -> None:
        """Add what makes the answer doubtful."""
        self._warnings.setdefault(message, f"PromQL warning: {message} ({self._place(span)})")

    def inform(self, message: str, span: Span, *, detail: str = "") -> None:
        """Add a hint; `detail` stands before the place and does not tell texts apart."""
        self._infos.setdefault(message, f"PromQL info: {message}{detail} ({self._place(span)})")

    def notice(self, message: str) -> None:
        """Add a warning about the answer as a whole, as it stands."""
        self._warnings.setdefault(message, message)

    @property
    def warnings(self) -> Sequence[str]:
        return tuple(self._warnings.values())

    @property
    def infos(self) -> Sequence[str]:
        return tuple(self._infos.values())

    def _place(self, span: Span) -> str:
        before = self._text[: span.start]
        line = before.count("\n") + 1
        return f"{line}:{span.start - before.rfind(chr(10))}"
