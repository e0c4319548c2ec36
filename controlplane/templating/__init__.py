"""Go text/template, the whole language, and Jinja2 where a text asks for it.

In come a text, the data it may look at and the functions it may call; out
goes text. Needs nothing from outside: data offers its fields and methods
through `values.Struct`. Must not know rules, alerts or how messages travel.

    template = compile_template(text, functions=ALERTMANAGER_FUNCTIONS, library=library)
    template.render(Data.of(...), alertmanager_functions(now))
"""

from controlplane.templating.alertmanager import ALERTMANAGER_FUNCTIONS, alertmanager_functions
from controlplane.templating.errors import TemplateError
from controlplane.templating.prometheus import PROMETHEUS_FUNCTIONS, prometheus_functions
from controlplane.templating.template import Library, Template, compile_template

__all__ = [
    "ALERTMANAGER_FUNCTIONS",
    "PROMETHEUS_FUNCTIONS",
    "Library",
    "Template",
    "TemplateError",
    "alertmanager_functions",
    "compile_template",
    "prometheus_functions",
]
