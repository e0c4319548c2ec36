"""Forms as browsers send them: one bounded read, typed reads of fields."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request

from controlplane.errors import InvalidInput, ParseError
from controlplane.model.duration import parse_duration

_MOST_FIELDS: Final = 1_100


class Form:
    """The fields of a form; text is stripped."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def text(self, name: str, default: str = "") -> str:
        """Return a field, `default` where it is missing or empty."""
        return (self._fields.get(name) or [""])[0].strip() or default

    def all(self, name: str) -> Sequence[str]:
        """Return every value of a field that may come often."""
        return [value.strip() for value in self._fields.get(name, ()) if value.strip()]

    def checked(self, name: str) -> bool:
        """Tell whether a box is ticked."""
        return name in self._fields

    def duration(self, name: str) -> int:
        """Return a duration in milliseconds. Raises InvalidInput."""
        try:
            return parse_duration(self.text(name))
        except ParseError as error:
            raise InvalidInput(f"{name}: {error}") from None

    def echo(self) -> dict[str, str]:
        """Return the fields once more, to show a form again as it was filled in."""
        return {name: values[0] for name, values in self._fields.items() if values}


async def read_form(request: Request) -> Form:
    """Return the form that a request brings. Raises InvalidInput. The guard has bounded it."""
    body = await request.body()
    try:
        fields = parse_qs(
            body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, strict_parsing=False
        )
    except ValueError as error:
        raise InvalidInput(f"the form cannot be read: {error}") from None
    return Form(fields)


def own_path(path: str, default: str = "/") -> str:
    """Return a path of ours that a form names; `default` for an address of somebody else's."""
    parts = urlsplit(path)
    own = not parts.scheme and not parts.netloc and path.startswith("/") and "\\" not in path
    return path if own and not path.startswith("//") else default
