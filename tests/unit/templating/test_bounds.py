"""A template can neither hang, fill the memory, nor reach what is not offered."""

import pytest

from controlplane.model.alert import AlertStatus
from controlplane.templating import (
    ALERTMANAGER_FUNCTIONS,
    Library,
    TemplateError,
    alertmanager_functions,
    compile_template,
)
from controlplane.templating.data import KV, Alerts, Data

EMPTY = Data("r", AlertStatus.FIRING, Alerts(), KV({"a": "1"}), KV({}), KV({}), "http://x")


def render(text: str, data: object = EMPTY) -> str:
    """Render with Alertmanager's functions."""
    template = compile_template(text, functions=ALERTMANAGER_FUNCTIONS)
    return template.render(data, alertmanager_functions(0))


@pytest.mark.parametrize(
    "text",
    [
        "{{ range 100000000 }}x{{ end }}",
        "{{ range 1000 }}{{ range 1000 }}{{ end }}{{ end }}",
        '{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}',
        '{{ $x := "aaaaaaaaaa" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}',
        '{{ printf "%999999d%999999d%999999d" 1 1 1 }}',
        "{{ $l := list 1 }}{{ range 60 }}{{ $l = list $l $l }}{{ end }}{{ $l }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ if 1 }}" * 5000 + "{{ end }}" * 5000,
    ],
    ids=["range", "ranges", "recursion", "text", "width", "value", "parentheses", "nesting"],
)
def test_work_and_output_are_bounded(text: str) -> None:
    """What grows without end is an error, soon."""
    with pytest.raises(TemplateError):
        render(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ .__class__ }}",
        "{{ .group_labels }}",
        "{{ .Status.upper }}",
        "{{ .Alerts.items }}",
        "{{ now.nanoseconds }}",
    ],
)
def test_python_attributes_are_out_of_reach(text: str) -> None:
    """Only listed fields and methods are found."""
    with pytest.raises(TemplateError, match="can't evaluate field"):
        render(text)


def test_a_label_set_has_only_its_labels() -> None:
    """The name of a Python attribute is just a label that is not set."""
    assert render("{{ .GroupLabels.pairs }}|{{ .GroupLabels.a }}") == "|1"


def test_named_templates_come_from_a_library() -> None:
    """A text may call what files define; later files win, and the text itself most."""
    library = Library(
        [
            ("a.tmpl", '{{ define "t" }}old{{ end }}{{ define "u" }}u={{ .Status }}{{ end }}'),
            ("b.tmpl", '{{ define "t" }}new{{ end }}'),
        ],
        ALERTMANAGER_FUNCTIONS,
    )
    text = '{{ template "t" . }} {{ template "u" . }}'
    template = compile_template(text, functions=ALERTMANAGER_FUNCTIONS, library=library)
    assert template.render(EMPTY, alertmanager_functions(0)) == "new u=firing"
    own = compile_template(
        '{{ define "t" }}own{{ end }}' + text, functions=ALERTMANAGER_FUNCTIONS, library=library
    )
    assert own.render(EMPTY, alertmanager_functions(0)) == "own u=firing"


def test_a_broken_file_names_itself_and_its_line() -> None:
    """A library refuses a file that cannot be parsed."""
    with pytest.raises(TemplateError, match=r"template: x\.tmpl:2: unclosed action"):
        Library([("x.tmpl", "fine\n{{ .X ")], ALERTMANAGER_FUNCTIONS)


def test_equal_texts_are_compiled_once() -> None:
    """The same arguments give the same template."""
    assert compile_template("{{ 1 }}", "n") is compile_template("{{ 1 }}", "n")
    assert compile_template("{{ 1 }}", "n") is not compile_template("{{ 1 }}", "m")
