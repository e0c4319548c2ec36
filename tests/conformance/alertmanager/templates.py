"""Templates to be rendered by both, a line each; and how more of them are made up."""

from typing import Final

from hypothesis import strategies as st

BY_HAND: Final = (
    # Data: what there is.
    "{{ .Receiver }} {{ .Status }} {{ .ExternalURL }}",
    "{{ len .Alerts }} {{ len .Alerts.Firing }} {{ .Alerts.Resolved | len }}",
    "{{ range .Alerts }}{{ .Status }} {{ .Fingerprint }} {{ .GeneratorURL }}\n{{ end }}",
    "{{ range .Alerts.Firing }}{{ .Labels.instance }},{{ end }}",
    "{{ range .Alerts.Resolved }}{{ .Annotations.summary }}{{ end }}",
    "{{ range .GroupLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
    "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
    '{{ .CommonLabels.Names | join "," }} {{ .CommonLabels.Values | join "," }}',
    '{{ (.CommonLabels.Remove .GroupLabels.Names).SortedPairs.Values | join " " }}',
    '{{ .CommonLabels.Remove (stringSlice "job" "nope") | len }}',
    "{{ (index .Alerts 0).Labels.SortedPairs.Names }} {{ .GroupLabels.SortedPairs.Values }}",
    "{{ .CommonAnnotations.runbook_url }}|{{ .CommonAnnotations.missing }}|{{ .GroupLabels.no }}",
    "{{ range $name, $value := .CommonAnnotations }}{{ $name }}:{{ $value }} {{ end }}",
    "{{ .GroupLabels.job }} {{ .CommonLabels.severity | toUpper }}",
    # Definitions, blocks, variables, trim markers.
    '{{ define "a" }}<{{ . }}>{{ end }}{{ template "a" .Status }}{{ template "a" }}',
    '{{ block "b" .Receiver }}[{{ . }}]{{ end }} {{ template "b" .Status }}',
    '{{ define "x" }}1{{ end }}{{ define "x" }}2{{ end }}{{ template "x" }}',
    "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}",
    "a  {{- 1 -}}  b\n\n{{- /* c */ -}}\n d {{- ` ` -}} e",
    "{{ range $i, $a := .Alerts }}{{ if $i }}, {{ end }}{{ $i }}{{ $a.Status }}{{ end }}",
    "{{ range .Alerts }}{{ $.Receiver }}{{ end }}",
    "{{ with $x := .GroupLabels.job }}{{ $x }}{{ . }}{{ else }}no{{ end }}",
    "{{ with .GroupLabels.none }}yes{{ else }}no{{ end }}",
    "{{ range .GroupLabels.none }}x{{ else }}none{{ end }}",
    "{{ range .Alerts.Resolved }}{{ else }}none{{ end }}",
    "{{ range $i, $a := .Alerts }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ $i }}{{ end }}",
    "{{ range $i, $a := .Alerts }}{{ if eq $i 1 }}{{ break }}{{ end }}{{ $i }}{{ end }}",
    "{{ if not .Alerts }}a{{ else if eq .Status `firing` }}b{{ else }}c{{ end }}",
    '{{ template "__subject" . }}',
    '{{ template "__alertmanager" . }} {{ template "__alertmanagerURL" . }}',
    '{{ template "__text_alert_list" .Alerts.Firing }}',
    '{{ template "slack.default.title" . }}|{{ template "slack.default.fallback" . }}',
    '{{ template "slack.default.titlelink" . }}|{{ template "slack.default.username" . }}',
    '{{ template "slack.default.text" . }}|{{ template "slack.default.pretext" . }}'
    '{{ template "slack.default.footer" . }}{{ template "slack.default.callbackid" . }}'
    '{{ template "slack.default.iconemoji" . }}{{ template "slack.default.iconurl" . }}',
    '{{ template "pagerduty.default.description" . }}|{{ template "pagerduty.default.client" . }}'
    '|{{ template "pagerduty.default.clientURL" . }}',
    '{{ template "pagerduty.default.instances" .Alerts.Firing }}',
    '{{ template "opsgenie.default.message" . }}|{{ template "opsgenie.default.source" . }}',
    '{{ template "opsgenie.default.description" . }}',
    '{{ template "victorops.default.state_message" . }}',
    '{{ template "victorops.default.entity_display_name" . }}'
    '{{ template "victorops.default.monitoring_tool" . }}',
    '{{ template "pushover.default.title" . }}|{{ template "pushover.default.url" . }}',
    '{{ template "pushover.default.message" . }}',
    '{{ template "telegram.default.message" . }}',
    '{{ template "discord.default.title" . }}|{{ template "discord.default.message" . }}',
    '{{ template "webex.default.message" . }}',
    '{{ template "sns.default.subject" . }}|{{ template "sns.default.message" . }}',
    '{{ template "wechat.default.message" . }}|{{ template "wechat.default.to_user" . }}',
    '{{ template "email.default.subject" . }}',
    # printf and what values look like.
    '{{ printf "%q %v %+v %s %T" .Status .Status .Status .Status .Status }}',
    '{{ printf "%d|%5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%U" 42 42 42 42 42 42 42 42 42 42 42 }}',
    '{{ printf "%f|%5.2f|%-8.3f|%08.3f|%+.1f|%e|%g|%G|%.3g" 3.14159 3.14159 3.14159 3.14159 '
    "3.14159 3.14159 3.14159 3.14159 3.14159 }}",
    '{{ printf "%g %v %g %v %v %v" 1e21 1e21 1e20 1e-7 100000.0 0.1 }}',
    '{{ printf "%t %v %5t|%q" true false true true }}',
    '{{ printf "%s|%10s|%-10s|%.2s|%x|% x|%X|%q|%+q|%#q" "añb" "añb" "añb" "añb" "añb" "añb" '
    '"añb" "añb" "añb" "añb" }}',
    '{{ printf "%T %T %T %T %T %T" 1 1.5 "a" true .Alerts nil }}',
    '{{ printf "%T %T" .GroupLabels .GroupLabels.SortedPairs }}',
    '{{ printf "%v %s %q" .GroupLabels.Names .GroupLabels.Names .GroupLabels.Names }}',
    '{{ printf "%d %s %v %z %!" "a" 1 nil 2 }}',
    '{{ printf "%d" }} {{ printf "%d %d" 1 }} {{ printf "x" 1 "y" }}',
    '{{ printf "%[2]d %[1]d" 1 2 }} {{ printf "%*d|%-*d|%.*f" 5 1 5 1 2 3.14159 }}',
    '{{ printf "%6.2f%%" 12.345 }} {{ printf "%s" 1.5 }} {{ printf "%5v|%-5v|%05v" 1 2 3 }}',
    '{{ printf "%v %+v %#v" 1 1 1 }} {{ printf "%#v %#v" "a" 1.0 }}',
    '{{ printf "%x %x" 255 -255 }} {{ printf "%08b %o %#o %#x" 5 8 8 255 }}',
    '{{ print 1 2 "a" "b" 3 4 }} {{ println 1 "a" 2 }}{{ print }}',
    "{{ 1 }} {{ 1.0 }} {{ 1e3 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 1_000 }} {{ 'a' }} {{ -5 }}",
    '{{ `raw\\n` }} {{ "a\\tb\\u00e9\\x41" }} {{ true }}',
    # Comparison and logic.
    '{{ eq 1 1 }} {{ eq "a" "b" "a" }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt "b" "a" }} '
    "{{ ge 1.5 1.5 }}",
    "{{ and 1 0 2 }} {{ or 0 `` 3 }} {{ not 0 }} {{ and true .Status }} {{ or .Status true }}",
    '{{ if and (eq .Status "firing") (gt (len .Alerts) 1) }}many{{ end }}',
    "{{ eq .Status `firing` }} {{ eq .GroupLabels.job .CommonLabels.job }}",
    "{{ lt true false }}",
    # index, slice, len, call, escapes.
    "{{ index .Alerts 0 | printf `%T` }} {{ (index .Alerts 1).Labels.instance }}",
    '{{ index .GroupLabels "job" }}{{ index .GroupLabels "none" }} {{ index "abc" 1 }}',
    '{{ slice "abcdef" 1 3 }} {{ slice "abc" 1 }} {{ len (slice .Alerts 1) }} {{ len "añb" }}',
    "{{ range slice .Alerts 0 1 }}{{ .Labels.instance }}{{ end }}",
    '{{ html "<a href=\'x\'>&\\"" }} {{ js "it\'s \\"<&=\\n" }} {{ urlquery "a b&c=ä/~" }}',
    '{{ "<b>" | html | urlquery }} {{ html 1 "a" 2 }} {{ js .CommonAnnotations.runbook_url }}',
    "{{ index .Alerts 99 }}",
    '{{ index .Alerts "a" }}',
    "{{ index 1 0 }}",
    "{{ slice .Alerts 2 1 }}",
    '{{ slice "abc" 4 }}',
    "{{ len 3 }}",
    # Alertmanager's functions.
    '{{ toUpper "abc é" }} {{ toLower "ABC É" }} {{ title "hello big world" }}',
    "{{ title \"it's o'neill-smith a_b x.y 3rd ALL CAPS\" }}",
    '{{ join ", " .GroupLabels.Names }} {{ stringSlice "a" "b" | join "-" }}',
    '{{ match "^fi" .Status }} {{ match "x" .Status }} {{ match "(?i)FIR" .Status }}',
    '{{ reReplaceAll "(i)(r)" "$2$1-${1}x$$ $9" .Status }} {{ reReplaceAll "[aeiou]" "" "quiet" }}',
    '{{ reReplaceAll "x*" "-" "abc" }} {{ reReplaceAll "(?P<n>b)" "[$n]" "abc" }}',
    '{{ safeHtml "<b>" }} {{ "x" | safeHtml }}',
    '{{ stringSlice "a" "b" }} {{ stringSlice }} {{ len (stringSlice "a") }}',
    '{{ match "(" "x" }}',
    '{{ reReplaceAll "(" "x" "y" }}',
    *(
        f"{{{{ match {pattern} `x` }}}}"
        for pattern in (
            "`[a`",
            "`a)`",
            "`*`",
            "`a**`",
            "`[b-a]`",
            "`a{1001}`",
            "`(?=x)`",
            "`\\8`",
            "`a\\`",
            "`(?P<n`",
            "`(?P<n>a)(?P<n>b)`",
            "`[[:x:]]`",
        )
    ),
    '{{ reReplaceAll "`(" `x` `y` }}',
    '{{ join "," "a" }}',
    "{{ toUpper 1 }}",
    "{{ title }}",
    '{{ stringSlice "a" 1 }}',
    # Times: an alert's are Go's.
    "{{ range .Alerts }}{{ .StartsAt }}|{{ .EndsAt }}\n{{ end }}",
    "{{ (index .Alerts 0).StartsAt.Format `2006-01-02T15:04:05.000Z07:00 Mon Jan _2 3:04PM` }}",
    "{{ with index .Alerts 0 }}{{ .StartsAt.Unix }} {{ .StartsAt.Year }} {{ .StartsAt.Month }} "
    "{{ .StartsAt.Weekday }} {{ .StartsAt.YearDay }} {{ .StartsAt.Hour }}{{ end }}",
    "{{ with index .Alerts.Resolved 0 }}{{ .EndsAt.Sub .StartsAt }} "
    "{{ (.EndsAt.Sub .StartsAt).Minutes }} {{ (.EndsAt.Sub .StartsAt).Hours }} "
    "{{ .EndsAt.After .StartsAt }} {{ .StartsAt.Before .EndsAt }} {{ .EndsAt.IsZero }}{{ end }}",
    "{{ (index .Alerts.Firing 0).EndsAt.IsZero }} {{ (index .Alerts.Firing 0).EndsAt }}",
    "{{ (index .Alerts 0).StartsAt.UTC.Format `Monday, 02-Jan-06 15:04:05.999999 MST` }}",
    "{{ (index .Alerts 0).StartsAt.Add 3600000000000 }} {{ (index .Alerts 0).StartsAt.AddDate 0 1 1"
    " }}",
    '{{ ((index .Alerts 0).StartsAt.Truncate 60000000000).Format "15:04:05" }}',
    '{{ printf "%s %v %d" (index .Alerts 0).StartsAt.Month (index .Alerts 0).StartsAt.Weekday '
    "(index .Alerts 0).StartsAt.Month }}",
    # What cannot be parsed.
    "{{ if }}x{{ end }}",
    "{{ .Status ",
    "{{ end }}",
    "{{ if .Status }}",
    "{{ range .Alerts }}{{ else }}{{ else }}{{ end }}",
    "{{ nosuch .Status }}",
    "{{ $undefined }}",
    '{{ "unterminated }}',
    "{{ 1x }}",
    "{{ .Status | }}",
    "{{ (.Status }}",
    "{{ break }}",
    "{{ continue }}",
    "{{ define x }}{{ end }}",
    '{{ template "a" }}',
    "{{ template x }}",
    "{{ /* open }}",
    "{{ /* a */ b }}",
    "line one\nline two {{ .. }}",
    "{{ else }}",
    "{{ 'ab' }}",
    "{{ nil }}",
    "{{ .Status := 1 }}",
    "{{ $x := }}",
    "{{ range $a, $b, $c := .Alerts }}{{ end }}",
    "{{ @ }}",
    "{{ 99999999999999999999 }}",
    # What fails while it runs.
    "before {{ .Nope }}",
    "{{ .Status.Nope }}",
    "{{ .Alerts.Nope }}",
    "{{ (index .Alerts 0).Nope }}",
    "{{ range .Alerts }}{{ .Labels.a.b }}{{ end }}",
    "{{ .GroupLabels.SortedPairs 1 }}",
    "{{ .GroupLabels.Remove }}",
    '{{ .GroupLabels.Remove "job" }}',
    "{{ .Status 1 }}",
    "{{ 1 2 }}",
    '{{ "a" | 1 }}',
    "{{ range .Status }}{{ end }}",
    "{{ template `none` . }}",
    '{{ define "loop" }}{{ template "loop" }}{{ end }}ok',
    "{{ not }}",
    "{{ eq }}",
    "{{ eq 1 }}",
    "{{ lt 1 }}",
    "{{ join 1 2 }}",
    "{{ nil | len }}",
    "{{ .StartsAt }}",
    "line\n{{ range .Alerts }}\n  {{ .Labels.instance.x }}{{ end }}",
)

_TEXTS: Final = st.sampled_from(
    [
        ".Status",
        ".Receiver",
        ".GroupLabels.job",
        ".CommonLabels.severity",
        ".CommonAnnotations.runbook_url",
        ".CommonLabels.none",
        "(index .Alerts 0).Labels.instance",
        "(index .Alerts 1).Annotations.summary",
        '"a<b> \'ü\' & \\"c\\""',
        '"many words_here o\'clock"',
        '""',
        "`x\\y`",
        '("a" | toUpper)',
    ]
)
_INTS: Final = st.one_of(
    st.integers(-(2**40), 2**40).map(str),
    st.sampled_from(["(len .Alerts)", "(len .Status)", "(.Alerts.Firing | len)", "'x'", "0x2a"]),
)
_FLOATS: Final = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda f: f"{f!r}"),
    st.sampled_from(["1e100", "2.5e-8", "123456.789", "1e6", "1e20", "1e21", "0.1"]),
)
_LISTS: Final = st.sampled_from(
    [".Alerts", ".Alerts.Firing", ".GroupLabels.Names", ".CommonLabels.Values", "(slice .Alerts 1)"]
)
_FLAGS: Final = st.sampled_from(["", "", "-", "+", "0", " ", "#", "-0", "+0"])
_WIDTHS: Final = st.sampled_from(["", "", "3", "12"])
_PRECISIONS: Final = st.sampled_from(["", "", ".0", ".3", "."])


def _printf(operands: st.SearchStrategy[str], verbs: str) -> st.SearchStrategy[str]:
    return st.builds(
        lambda flags, width, precision, verb, operand: (
            f'{{{{ printf "%{flags}{width}{precision}{verb}|" {operand} }}}}'
        ),
        _FLAGS,
        _WIDTHS,
        _PRECISIONS,
        st.sampled_from(verbs),
        operands,
    )


def _called(name: str, *operands: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*operands).map(lambda given: f"{{{{ {name} {' '.join(given)} }}}}")


_SCALARS: Final = st.one_of(_TEXTS, _INTS, _FLOATS, st.sampled_from(["true", "false"]))
_PATTERNS: Final = st.sampled_from(['"[a-m]"', '"(.)(.)"', '"^"', '"x?"', '"(?i)R+"', '"\\\\b"'])
_ACTIONS: Final = st.one_of(
    _printf(_TEXTS, "vsqxXdTt"),
    _printf(_INTS, "vdxXobcqUesTt"),
    _printf(_FLOATS, "vfeEgGsdTx"),
    _printf(st.just("(stringSlice `a` `b c`)"), "vsqdx"),
    *(
        _called(name, kind, kind)
        for name in ("eq", "ne", "lt", "le", "gt", "ge")
        for kind in (_TEXTS, _INTS, _FLOATS)
    ),
    *(
        _called(name, _SCALARS, _SCALARS)
        for name in ("and", "or", "print", "println", "html", "urlquery")
    ),
    *(_called(name, _SCALARS) for name in ("js", "urlquery", "html", "not", "len")),
    *(_called(name, _TEXTS) for name in ("toUpper", "toLower", "title", "safeHtml", "len")),
    _called("slice", _TEXTS, st.integers(0, 4).map(str), st.integers(0, 6).map(str)),
    _called("index", _LISTS, st.integers(-1, 3).map(str)).map(
        lambda t: t.replace(" }}", "|len }}")
    ),
    _called("reReplaceAll", _PATTERNS, st.sampled_from(['"<$1>"', '"${0}!"', '""']), _TEXTS),
    _called("match", _PATTERNS, _TEXTS),
)
_PIECES: Final = st.one_of(
    _ACTIONS, st.sampled_from([" ", "\n  ", "text ", "{{- /* c */ -}} ", "é☃"])
)


def _around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, min_size=1, max_size=3).map("".join)
    return st.one_of(
        st.builds("{{{{ if {} }}}}{}{{{{ else }}}}{}{{{{ end }}}}".format, _SCALARS, body, body),
        st.builds(
            "{{{{- with {} -}}}}{{{{ . }}}}{{{{ else }}}}{}{{{{ end }}}}".format, _TEXTS, body
        ),
        st.builds(
            "{{{{ range $i, $e := {} -}}}} {{{{ $i }}}}{{{{ with $ }}}}{}{{{{ end }}}}"
            "{{{{ else }}}}{}{{{{ end }}}}".format,
            _LISTS,
            body,
            body,
        ),
        st.builds(
            '{{{{ define "d" }}}}{}{{{{ end }}}}{{{{ template "d" . }}}}'
            '{{{{ template "d" $ }}}}'.format,
            body,
        ),
        st.builds("{{{{ $v := {} }}}}{{{{ $v }}}}{}".format, _SCALARS, body),
    )


MADE_UP: Final = st.lists(st.recursive(_PIECES, _around, max_leaves=6), min_size=1, max_size=3).map(
    "".join
)
