"""What a decision says: English by itself, any other language by its words."""

from controlplane.autoscale.sentence import Sentence, spoken

_LIMIT = Sentence("the policies of %(rules)s", {"rules": "scaleUp"})
_CUT = Sentence(
    "%(limit)s: %(allowed)s instead of %(asked)s", {"limit": _LIMIT, "allowed": 16, "asked": 90}
)
_WORDS = {
    _LIMIT.template: "die Regeln von %(rules)s",
    _CUT.template: "%(allowed)s statt %(asked)s durch %(limit)s",
    "scaleUp": "never asked for",
}


def say(text: str) -> str:
    return _WORDS.get(text, text)


def test_a_sentence_is_english() -> None:
    """Its values stand in their places, sentences among them; a per cent sign is one."""
    assert str(_CUT) == "the policies of scaleUp: 16 instead of 90"
    assert str(Sentence("no metric has a value")) == "no metric has a value"
    assert str(Sentence("it failed: %(error)s", {"error": "100 %s"})) == "it failed: 100 %s"


def test_a_sentence_is_put_into_another_language() -> None:
    """Templates are, whole and in parts, in an order of their own; values are not."""
    assert spoken(_CUT, say) == "16 statt 90 durch die Regeln von scaleUp"


def test_what_has_no_translation_is_said_as_it_is() -> None:
    """A template that is no longer known stays English, and the words of others are theirs."""
    assert spoken(Sentence("%(count)s left", {"count": 2}), say) == "2 left"
    assert spoken("it does not answer, 100 %", say) == "it does not answer, 100 %"
