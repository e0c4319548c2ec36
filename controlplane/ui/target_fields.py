"""A target as the fields of a form, and back: checked by the same schema as the API's bodies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from controlplane.api.v1.schemas import TargetPatched
from controlplane.errors import ControlPlaneError, InvalidInput
from controlplane.model.duration import format_duration
from controlplane.model.target import Target
from controlplane.targets.registry import Edit
from controlplane.ui.forms import Form

# Where an error of the schema or of the registry is shown.
_SHOWN_AT: Final[Mapping[str, str]] = {
    "url": "endpoint",
    "address": "endpoint",
    "label_overrides": "overrides",
}


@dataclass(frozen=True, slots=True)
class Fields:
    """The texts of the form. Lists have one entry a line, labels are `name=value`."""

    name: str = ""
    endpoint: str = ""
    module: str = "http_2xx"
    interval: str = ""
    labels: str = ""
    metrics_url: str = ""
    lease: str = ""
    depends_on: str = ""
    dashboard: str = ""
    overrides: str = ""

    @classmethod
    def of(cls, target: Target) -> "Fields":
        """Return a target as it stands."""
        spec = target.spec
        return cls(
            name=spec.name,
            endpoint=spec.endpoint,
            module=spec.module,
            interval=_duration(spec.interval),
            labels=_lines(spec.labels),
            metrics_url=spec.metrics_url or "",
            lease=_duration(spec.lease),
            depends_on="\n".join(str(each) for each in spec.depends_on),
            dashboard=spec.dashboard or "",
            overrides=_lines(target.operator.labels),
        )

    @classmethod
    def read(cls, form: Form) -> "Fields":
        """Return what somebody filled in."""
        return cls(**{name: form.text(name) for name in cls.__dataclass_fields__})

    def edit(self, paused: bool) -> Edit:  # noqa: FBT001 - the state of a target
        """Return the registration that the fields describe. Raises Refused."""
        try:
            body = self._body()
            checked = TargetPatched.model_validate({**body, "paused": paused})
            return Edit(checked.to_spec(), checked.paused, checked.label_overrides)
        except ValidationError as error:
            raise Refused(
                {_place(entry["loc"][0]): str(entry["msg"]) for entry in error.errors()}
            ) from None
        except InvalidInput as error:
            raise Refused(errors_of(error)) from None

    def overridden(self, edit: Edit) -> Edit:
        """Return a registration with only the operator's labels replaced. Raises Refused."""
        try:
            return replace(edit, labels=_labels(self.overrides, "/label_overrides"))
        except InvalidInput as error:
            raise Refused(errors_of(error)) from None

    def _body(self) -> dict[str, Any]:
        """Return the fields as the API's body has them; an empty one is not said."""
        kind = "url" if "://" in self.endpoint else "address"
        said = {
            "name": self.name,
            kind: self.endpoint,
            "module": self.module,
            "interval": self.interval,
            "metrics_url": self.metrics_url,
            "lease": self.lease,
            "dashboard": self.dashboard,
        }
        return {
            **{name: text for name, text in said.items() if text},
            "name": self.name,
            "labels": _labels(self.labels, "/labels"),
            "label_overrides": _labels(self.overrides, "/label_overrides"),
            "depends_on": [line.strip() for line in self.depends_on.splitlines() if line.strip()],
        }


class Refused(InvalidInput):
    """A form that cannot be taken: what is wrong, by field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__(", ".join(errors.values()))
        self.errors = errors


def errors_of(error: ControlPlaneError) -> Mapping[str, str]:
    """Return what is wrong by field; under an empty name what is of no field."""
    if isinstance(error, Refused):
        return error.errors
    if isinstance(error, InvalidInput):
        return {_place(error.pointer.strip("/").partition("/")[0]): error.reason}
    return {"": str(error)}


def _place(name: object) -> str:
    text = str(name)
    place = _SHOWN_AT.get(text, text)
    return place if place in Fields.__dataclass_fields__ else ""


def _labels(text: str, pointer: str) -> Mapping[str, str]:
    """Return labels given one a line: `name=value`, the value in quotes or not."""
    labels = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise InvalidInput(f"not a label, name=value: {line!r}", pointer=pointer)
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        labels[name.strip()] = value
    return labels


def _lines(labels: Mapping[str, str]) -> str:
    return "\n".join(f"{name}={value}" for name, value in labels.items())


def _duration(duration: int | None) -> str:
    return "" if duration is None else format_duration(duration)


def modules_of(names: Sequence[str], chosen: str) -> Sequence[str]:
    """Return the modules to choose from, also one that a reload took away."""
    return sorted({*names, chosen} - {""})
