"""Go template tokens to a tree (semantics of Go's text/template/parse/parse.go)."""

from collections.abc import Collection
from typing import Final, NoReturn

from controlplane.templating import literals, nodes
from controlplane.templating.errors import TemplateError
from controlplane.templating.lexer import KEYWORDS, Kind, Token, lex
from controlplane.templating.printf import quote

# Nesting of parentheses and of control structures: far beyond any real
# template, and well within Python's own stack.
MAX_NESTING: Final = 60

_OPERANDS: Final = frozenset(
    {
        Kind.BOOL,
        Kind.CHAR_CONSTANT,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.NUMBER,
        Kind.NIL,
        Kind.STRING,
        Kind.VARIABLE,
        Kind.LEFT_PAREN,
    }
)
# What may follow an `else` in the same action.
_CHAINED: Final = frozenset({Kind.IF, Kind.WITH})
# What cannot take the value of the stage before it.
_CONSTANTS = nodes.Bool | nodes.Dot | nodes.Nil | nodes.Number | nodes.String


def parse(text: str, name: str, functions: Collection[str]) -> dict[str, nodes.Definition]:
    """Return the definitions in `text`, the text itself under `name`.

    `functions` are the names that may be called. Raises TemplateError.
    """
    parser = _Parser(text, name, functions)
    parser.run()
    return parser.definitions


class _Parser:
    def __init__(self, text: str, name: str, functions: Collection[str]) -> None:
        self._text = text
        self._name = name
        self._functions = functions
        self._tokens = lex(text)
        self._at = 0
        self._variables = ["$"]
        self._ranges = 0
        self._nesting = 0
        self.definitions: dict[str, nodes.Definition] = {}

    def run(self) -> None:
        found: list[nodes.Node] = []
        while self._peek().kind is not Kind.EOF:
            if self._peek().kind is Kind.LEFT and self._after_delimiter() is Kind.DEFINE:
                self._define()
                continue
            node = self._text_or_action()
            if isinstance(node, Token):
                self._fail(f"unexpected {{{{{node.kind}}}}}")
            found.append(node)
        self._add(self._name, nodes.Body(0, tuple(found)))

    # Tokens

    def _peek(self) -> Token:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _peek_word(self) -> Token:
        while self._peek().kind is Kind.SPACE:
            self._at += 1
        return self._peek()

    def _next_word(self) -> Token:
        self._peek_word()
        return self._next()

    def _after_delimiter(self) -> Kind:
        at = self._at + 1
        while self._tokens[at].kind is Kind.SPACE:
            at += 1
        return self._tokens[at].kind

    def _expect(self, kind: Kind, context: str) -> Token:
        token = self._next_word()
        if token.kind is not kind:
            self._unexpected(token, context)
        return token

    def _fail(self, message: str, line: int | None = None) -> NoReturn:
        if line is None:
            line = self._tokens[max(0, min(self._at, len(self._tokens)) - 1)].line
        raise TemplateError(f"template: {self._name}:{line}: {message}", line=line)

    def _unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind is Kind.ERROR:
            self._fail(token.value, token.line)
        self._fail(f"unexpected {_show(token)} in {context}", token.line)

    # Structure

    def _add(self, name: str, body: nodes.Body) -> None:
        new = nodes.Definition(name, self._name, self._text, body)
        old = self.definitions.get(name)
        if old is None or old.empty:
            self.definitions[name] = new
        elif not new.empty:
            self._fail(f'template: multiple definition of template "{name}"')

    def _define(self) -> None:
        self._next()
        self._next_word()
        context = "define clause"
        name = self._string(self._expect(Kind.STRING, context))
        self._expect(Kind.RIGHT, context)
        self._add(name, self._separate_body(context))

    def _separate_body(self, context: str) -> nodes.Body:
        """Parse a body with variables and ranges of its own, up to its `end`."""
        variables, ranges = self._variables, self._ranges
        self._variables, self._ranges = ["$"], 0
        body, end = self._body()
        if end.kind is not Kind.END:
            self._fail(f"unexpected {{{{{end.kind}}}}} in {context}")
        self._variables, self._ranges = variables, ranges
        return body

    def _body(self) -> tuple[nodes.Body, Token]:
        """Parse up to an `end` or `else`, which is returned too."""
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            self._fail(f"nested deeper than {MAX_NESTING} levels")
        start, found = self._peek().pos, list[nodes.Node]()
        while self._peek_word().kind is not Kind.EOF:
            node = self._text_or_action()
            if isinstance(node, Token):
                self._nesting -= 1
                return nodes.Body(start, tuple(found)), node
            found.append(node)
        return self._fail("unexpected EOF")

    def _text_or_action(self) -> nodes.Node | Token:
        token = self._next_word()
        if token.kind is Kind.TEXT:
            return nodes.Text(token.pos, token.value)
        if token.kind is not Kind.LEFT:
            self._unexpected(token, "input")
        return self._action()

    def _action(self) -> nodes.Node | Token:
        token = self._next_word()
        match token.kind:
            case Kind.BREAK | Kind.CONTINUE:
                return self._jump(token)
            case Kind.ELSE | Kind.END:
                is_chain = token.kind is Kind.ELSE and self._peek_word().kind in _CHAINED
                if not is_chain:
                    self._expect(Kind.RIGHT, token.value)
                return token
            case Kind.IF | Kind.RANGE | Kind.WITH:
                return self._controlled(token.kind)
            case Kind.BLOCK:
                return self._block()
            case Kind.TEMPLATE:
                return self._call()
        self._at -= 1
        return nodes.Action(token.pos, self._pipe("command", Kind.RIGHT))

    def _jump(self, token: Token) -> nodes.Node:
        word = f"{{{{{token.kind}}}}}"
        after = self._next_word()
        if after.kind is not Kind.RIGHT:
            self._unexpected(after, word)
        if not self._ranges:
            self._fail(f"{word} outside {{{{range}}}}")
        is_break = token.kind is Kind.BREAK
        return nodes.Break(token.pos) if is_break else nodes.Continue(token.pos)

    def _controlled(self, kind: Kind) -> nodes.Node:
        parts = self._control(kind.value)
        if kind is Kind.IF:
            return nodes.If(*parts)
        return nodes.With(*parts) if kind is Kind.WITH else nodes.Range(*parts)

    def _control(self, context: str) -> tuple[int, nodes.Pipe, nodes.Body, nodes.Body | None]:
        known = len(self._variables)
        pipe = self._pipe(context, Kind.RIGHT)
        is_range = context == "range"
        self._ranges += is_range
        body, end = self._body()
        self._ranges -= is_range
        otherwise = self._otherwise(context, end) if end.kind is Kind.ELSE else None
        del self._variables[known:]
        return pipe.pos, pipe, body, otherwise

    def _otherwise(self, context: str, token: Token) -> nodes.Body:
        """Parse what follows an `else`; `else if` needs no `end` of its own."""
        following = self._peek()
        if following.kind in _CHAINED and following.value == context:
            self._next()
            self._nesting += 1
            node = self._controlled(following.kind)
            self._nesting -= 1
            return nodes.Body(token.pos, (node,))
        body, end = self._body()
        if end.kind is not Kind.END:
            self._fail(f"expected end; found {{{{{end.kind}}}}}")
        return body

    def _block(self) -> nodes.Node:
        context = "block clause"
        token = self._next_word()
        name = self._template_name(token, context)
        pipe = self._pipe(context, Kind.RIGHT)
        self._add(name, self._separate_body(context))
        return nodes.Call(token.pos, name, pipe)

    def _call(self) -> nodes.Node:
        context = "template clause"
        token = self._next_word()
        name = self._template_name(token, context)
        if self._peek_word().kind is Kind.RIGHT:
            self._next()
            return nodes.Call(token.pos, name, None)
        return nodes.Call(token.pos, name, self._pipe(context, Kind.RIGHT))

    def _template_name(self, token: Token, context: str) -> str:
        if token.kind is not Kind.STRING:
            self._unexpected(token, context)
        return self._string(token)

    # Pipelines

    def _pipe(self, context: str, end: Kind) -> nodes.Pipe:
        start = self._peek_word()
        declared, assigns = self._declarations(context)
        commands: list[nodes.Command] = []
        while (token := self._next_word()).kind is not end:
            if token.kind not in _OPERANDS:
                self._unexpected(token, context)
            self._at -= 1
            commands.append(self._command())
        if not commands:
            self._fail(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], 2):
            if isinstance(command.args[0], _CONSTANTS):
                self._fail(f"non executable command in pipeline stage {stage}")
        return nodes.Pipe(start.pos, start.line, declared, assigns, tuple(commands))

    def _declarations(self, context: str) -> tuple[tuple[nodes.Variable, ...], bool]:
        declared: list[nodes.Variable] = []
        while self._peek_word().kind is Kind.VARIABLE:
            before = self._at
            variable = self._next()
            sign = self._peek_word()
            comma = sign.kind is Kind.CHAR and sign.value == ","
            if not comma and sign.kind not in (Kind.ASSIGN, Kind.DECLARE):
                self._at = before
                break
            self._next()
            declared.append(nodes.Variable(variable.pos, variable.value))
            self._variables.append(variable.value)
            if not comma:
                return tuple(declared), sign.kind is Kind.ASSIGN
            if context != "range" or len(declared) > 1:
                self._fail(f"too many declarations in {context}")
            if self._peek_word().kind not in (Kind.VARIABLE, Kind.RIGHT, Kind.RIGHT_PAREN):
                self._fail("range can only initialize variables")
        return tuple(declared), False

    def _command(self) -> nodes.Command:
        start = self._peek_word().pos
        args: list[nodes.Operand] = []
        while True:
            self._peek_word()
            operand = self._operand()
            if operand is not None:
                args.append(operand)
            token = self._next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.RIGHT, Kind.RIGHT_PAREN):
                self._at -= 1
            elif token.kind is not Kind.PIPE:
                self._unexpected(token, "operand")
            break
        if not args:
            self._fail("empty command")
        return nodes.Command(start, tuple(args))

    def _operand(self) -> nodes.Operand | None:
        term = self._term()
        if term is None or self._peek().kind is not Kind.FIELD:
            return term
        pos = self._peek().pos
        fields: list[str] = []
        while self._peek().kind is Kind.FIELD:
            fields.append(self._next().value[1:])
        if isinstance(term, nodes.Field):
            return nodes.Field(pos, (*term.fields, *fields))
        if isinstance(term, nodes.Variable):
            return nodes.Variable(pos, term.name, (*term.fields, *fields))
        if isinstance(term, _CONSTANTS):
            self._fail(f"unexpected . after term {quote(str(term))}")
        return nodes.Chain(pos, term, tuple(fields))

    def _term(self) -> nodes.Operand | None:
        token = self._next_word()
        pos, value = token.pos, token.value
        term: nodes.Operand | None = None
        match token.kind:
            case Kind.IDENTIFIER:
                if value not in self._functions:
                    self._fail(f'function "{value}" not defined')
                term = nodes.Identifier(pos, value)
            case Kind.VARIABLE:
                if value not in self._variables:
                    self._fail(f'undefined variable "{value}"')
                term = nodes.Variable(pos, value)
            case Kind.DOT:
                term = nodes.Dot(pos)
            case Kind.NIL:
                term = nodes.Nil(pos)
            case Kind.FIELD:
                term = nodes.Field(pos, (value[1:],))
            case Kind.BOOL:
                term = nodes.Bool(pos, value == "true")
            case Kind.NUMBER | Kind.CHAR_CONSTANT:
                term = self._number(token)
            case Kind.STRING:
                term = nodes.String(pos, value, self._string(token))
            case Kind.LEFT_PAREN:
                term = self._parenthesized()
            case _:
                self._at -= 1
        return term

    def _parenthesized(self) -> nodes.Pipe:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            self._fail(f"nested deeper than {MAX_NESTING} levels")
        pipe = self._pipe("parenthesized pipeline", Kind.RIGHT_PAREN)
        self._nesting -= 1
        return pipe

    def _string(self, token: Token) -> str:
        try:
            return literals.unquote(token.value)
        except ValueError:
            self._fail("invalid syntax", token.line)

    def _number(self, token: Token) -> nodes.Number:
        if token.kind is Kind.CHAR_CONSTANT:
            char = self._string(token)
            if len(char) != 1:
                self._fail(f"malformed character constant: {token.value}", token.line)
            return nodes.Number(token.pos, token.value, ord(char), ord(char))
        try:
            value, whole = literals.number(token.value)
        except ValueError as error:
            self._fail(f"{error}: {quote(token.value)}", token.line)
        return nodes.Number(token.pos, token.value, value, whole)


def _show(token: Token) -> str:
    """Return a token as Go's error messages show it."""
    if token.kind is Kind.EOF:
        return "EOF"
    if token.kind in KEYWORDS or token.kind is Kind.DOT:
        return f"<{token.value}>"
    if len(token.value) > 10:
        return f'"{token.value[:10]}"...'
    return f'"{token.value}"'
