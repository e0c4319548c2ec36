"""The configuration in force as YAML, defaults filled in, secrets struck out."""

import yaml

from controlplane.config.config import Config
from controlplane.config.document import Context, document


def render(config: Config) -> str:
    """Return YAML that says what `config` holds. A secret is `<secret>`, a `*_file` its path."""
    plain = document(Context()).show(config)
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, _data: object) -> bool:
        return True
