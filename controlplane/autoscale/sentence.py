"""What a decision says: English where it is decided, any language where it is read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence in English with places, `%(count)s series`, and what stands in them.

    A value is a number, a text that is the same in every language, or a
    sentence. The template is a literal where a sentence is made: `make words`
    finds it there. `str()` is the whole in English.
    """

    template: str
    values: Mapping[str, "Said | int"] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template % self.values


# A text is the words of others: an error, or a decision from before there were sentences.
Said = Sentence | str


def spoken(said: Said | int, say: Callable[[str], str]) -> str:
    """Return what was said in the language into which `say` brings a template."""
    if not isinstance(said, Sentence):
        return str(said)
    values = {name: spoken(value, say) for name, value in said.values.items()}
    return say(said.template) % values
