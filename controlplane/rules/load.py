"""Rule files to groups, with everything that is wrong with them by file and line.

Accepts what Prometheus 3 accepts (model/rulefmt/rulefmt.go) and nothing more;
names may be any UTF-8.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from controlplane.errors import ParseError
from controlplane.model.labels import METRIC_NAME, is_utf8
from controlplane.model.marked_yaml import (
    Mapping,
    Node,
    Scalar,
    describe,
    is_null,
    load_marked,
    read_marked,
)
from controlplane.promql.parser import parse
from controlplane.rules.fields import Fields
from controlplane.rules.options import Rule, RuleGroup, Texts
from controlplane.rules.templates import compile_text
from controlplane.templating import TemplateError

_FILE_KEYS: Final = frozenset({"groups"})
_GROUP_KEYS: Final = frozenset({"name", "interval", "query_offset", "limit", "rules", "labels"})
_RULE_KEYS: Final = frozenset(
    {"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations"}
)


def load_file(path: Path) -> tuple[RuleGroup, ...]:
    """Return the groups of a rule file. Raises ConfigError with all its problems."""
    return _Loader(str(path)).groups(read_marked(path))


def load_text(text: str, file: str) -> tuple[RuleGroup, ...]:
    """Return the groups of a text; `file` is its name in messages and group keys."""
    return _Loader(file).groups(load_marked(text, file))


class _Loader(Fields):
    def groups(self, root: Node) -> tuple[RuleGroup, ...]:
        groups: list[RuleGroup] = []
        if not is_null(root):
            top = self.mapping(root, "a rule file", _FILE_KEYS)
            for node in self.items(top, "groups"):
                group = self._group(node)
                if any(known.name == group.name for known in groups):
                    self.add(node.line, f"the group {group.name!r} stands twice in this file")
                groups.append(group)
        self.problems.raise_any()
        return tuple(groups)

    def _group(self, node: Node) -> RuleGroup:
        group = self.mapping(node, "a group", _GROUP_KEYS)
        name = self.text(group, "name")
        if not name:
            self.add(node.line, "a group needs a name")
        offset = group.get("query_offset")
        return RuleGroup(
            name=name,
            file=self.problems.file,
            interval=self.duration(group, "interval"),
            limit=self.integer(group, "limit"),
            query_offset=None if offset is None else self.duration(group, "query_offset"),
            labels=self._labels(group),
            rules=tuple(self._rule(item, name) for item in self.items(group, "rules")),
            line=node.line,
        )

    def _rule(self, node: Node, group: str) -> Rule:
        entries = self.mapping(node, f"a rule of group {group!r}", _RULE_KEYS)
        rule = Rule(
            expr=self.text(entries, "expr"),
            record=self.text(entries, "record"),
            alert=self.text(entries, "alert"),
            for_=self.duration(entries, "for"),
            keep_firing_for=self.duration(entries, "keep_firing_for"),
            labels=self._labels(entries),
            annotations=self._texts(entries, "annotations", self._annotation_name),
            line=node.line,
        )
        self._check_kind(rule, entries)
        self._check_expr(rule, entries)
        if rule.alert:
            for key in ("labels", "annotations"):
                self._check_templates(rule, entries.get(key), key)
        return rule

    def _check_kind(self, rule: Rule, node: Mapping) -> None:
        if bool(rule.record) == bool(rule.alert):
            which = "only one" if rule.record else "one"
            self.add(node.line, f"{which} of 'record' and 'alert' must be set")
        if not rule.record or rule.alert:
            return
        for key in ("for", "keep_firing_for", "annotations"):
            if node.get(key) is not None:
                self.add(node.key_lines[key], f"{key!r} has no meaning in a recording rule")
        line = node.key_lines["record"]
        if not is_utf8(rule.record):
            self.add(line, f"not a valid name for a recorded series: {rule.record!r}")
        elif "{" in rule.record or "}" in rule.record:
            self.add(line, f"braces in the name {rule.record!r}: selectors belong into 'expr'")

    def _check_expr(self, rule: Rule, node: Mapping) -> None:
        expr = node.get("expr")
        if expr is None or not rule.expr:
            self.add(node.line, f"rule {rule.name!r} needs an 'expr'")
            return
        try:
            parse(rule.expr)
        except ParseError as error:
            where = f"{error.line}:{error.column}: {error.detail}"
            self.add(expr.line, f"rule {rule.name!r}, expression {where}")

    def _check_templates(self, rule: Rule, node: Node | None, key: str) -> None:
        for name, value in node.entries.items() if isinstance(node, Mapping) else ():
            if not isinstance(value, Scalar):
                continue
            try:
                compile_text(value.text, rule.alert)
            except TemplateError as error:
                kind = key.removesuffix("s")
                self.add(value.line, f"rule {rule.name!r}, {kind} {name!r}: {error.reason}")

    def _labels(self, node: Mapping) -> Texts:
        return self._texts(node, "labels", self._label_name)

    def _texts(self, node: Mapping, key: str, check: Callable[[str, int], None]) -> Texts:
        found = node.get(key)
        if found is None:
            return ()
        if not isinstance(found, Mapping):
            self.add(found.line, f"{key!r} must be a mapping, not {describe(found)}")
            return ()
        texts: dict[str, str] = {}
        for name in found.entries:
            check(name, found.key_lines[name])
            texts[name] = self.text(found, name)
            if not is_utf8(texts[name]):
                self.add(found.key_lines[name], f"the value of {name!r} is not valid UTF-8")
        return tuple(sorted(texts.items()))

    def _label_name(self, name: str, line: int) -> None:
        if name == METRIC_NAME:
            self.add(line, f"{METRIC_NAME} cannot be set by a rule")
        elif not name or not is_utf8(name):
            self.add(line, f"not a valid label name: {name!r}")

    def _annotation_name(self, name: str, line: int) -> None:
        if not name or not is_utf8(name):
            self.add(line, f"not a valid annotation name: {name!r}")
