"""The OpenAPI document as a file: `python -m controlplane.api.openapi > docs/openapi.json`."""

import json
import sys

from controlplane.api.application import bare_application


def document() -> str:
    """Return the document of this version, in the form in which it is committed."""
    return json.dumps(bare_application().openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
