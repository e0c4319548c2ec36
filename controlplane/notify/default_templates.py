"""The texts of messages where the configuration names no template: ours, for 3 in the morning.

A message says what is broken, how badly, since when, what to do, and where to
look. The names begin with `controlplane.`; Alertmanager's own texts keep their
names (`alertmanager_templates`), and one of those that a file overrides is used
in place of ours (`STANDS_FOR`).

Slack reads `&`, `<` and `>` as markup: what our texts print of labels is
escaped, so that no label can mention a channel or fake a link. Annotations are
as their author wrote them, links included; Alertmanager escapes neither.
"""

from collections.abc import Mapping
from typing import Final

# Ours, and what an Alertmanager sends in its place.
STANDS_FOR: Final[Mapping[str, str]] = {
    **{
        f"controlplane.slack.{part}": f"slack.default.{part}"
        for part in ("username", "color", "title", "titlelink", "text", "fallback", "footer")
    },
    **{
        f"controlplane.pagerduty.{part}": f"pagerduty.default.{part}"
        for part in ("description", "client", "clientURL")
    },
    "controlplane.email.subject": "email.default.subject",
    "controlplane.email.html": "email.default.html",
}

_SHARED: Final = """
{{- define "cp.state" -}}
{{ if eq .Status "firing" }}{{ if eq .CommonLabels.severity "critical" -}}
CRITICAL{{ else }}FIRING{{ end }}{{ else }}RESOLVED{{ end }}
{{- end -}}

{{- define "cp.count" -}}
{{ $firing := len .Alerts.Firing }}{{ $resolved := len .Alerts.Resolved -}}
{{ if gt (len .Alerts) 1 }} ({{ if $firing }}{{ $firing }} firing{{ end -}}
{{ if and $firing $resolved }}, {{ end }}{{ if $resolved }}{{ $resolved }} resolved{{ end }})
{{- end -}}
{{- end -}}

{{- define "cp.what" -}}
{{ if .CommonLabels.alertname }}{{ .CommonLabels.alertname }}{{ else -}}
{{ if .GroupLabels }}{{ .GroupLabels.SortedPairs.Values.Join " " }}{{ else -}}
{{ len .Alerts }} alerts{{ end }}{{ end -}}
{{- end -}}

{{- define "cp.where" -}}
{{ if .CommonLabels.instance }} on {{ .CommonLabels.instance }}{{ else -}}
{{ if .CommonLabels.job }} in {{ .CommonLabels.job }}{{ end }}{{ end -}}
{{- end -}}

{{- define "cp.headline" -}}
{{ if .CommonAnnotations.summary }}{{ .CommonAnnotations.summary }}{{ else -}}
{{ template "cp.what" . }}{{ template "cp.where" . }}{{ end -}}
{{- end -}}

{{- define "cp.story" -}}
{{ if eq (len .Alerts) 1 }}{{ storyURL (index .Alerts 0) }}{{ else }}{{ alertsURL }}{{ end -}}
{{- end -}}

{{- define "cp.silence" -}}
{{ if eq (len .Alerts) 1 }}{{ silenceURL (index .Alerts 0).Labels }}{{ else if .CommonLabels -}}
{{ silenceURL .CommonLabels }}{{ end -}}
{{- end -}}

{{- define "cp.since" -}}
{{ $seconds := (since .StartsAt).Seconds -}}
{{ if ge $seconds 60.0 }}For {{ humanizeDuration (printf "%.0f" $seconds) }}, since{{ else }}Since{{
  end }} {{ .StartsAt.UTC.Format "2006-01-02 15:04:05 UTC" -}}
{{- end -}}

{{- define "cp.lasted" -}}
{{ humanizeDuration (printf "%.0f" (.EndsAt.Sub .StartsAt).Seconds) -}}
{{- end -}}
"""

_SLACK: Final = """
{{- define "cp.slack" -}}
{{ reReplaceAll ">" "&gt;" (reReplaceAll "<" "&lt;" (reReplaceAll "&" "&amp;" .)) }}
{{- end -}}

{{- define "cp.slack_what" -}}
{{ if .CommonLabels.alertname }}{{ template "cp.slack" .CommonLabels.alertname }}{{ else -}}
{{ if .GroupLabels }}{{ template "cp.slack" (.GroupLabels.SortedPairs.Values.Join " ") }}{{ else -}}
{{ len .Alerts }} alerts{{ end }}{{ end -}}
{{- end -}}

{{- define "cp.slack_where" -}}
{{ if .CommonLabels.instance }} on {{ template "cp.slack" .CommonLabels.instance }}{{ else -}}
{{ if .CommonLabels.job }} in {{ template "cp.slack" .CommonLabels.job }}{{ end }}{{ end -}}
{{- end -}}

{{- define "cp.slack_line" -}}
{{ if .Annotations.summary }}{{ .Annotations.summary }}{{ else if .Annotations.description -}}
{{ .Annotations.description }}{{ else -}}
{{ template "cp.slack" (print .Labels.SortedPairs) }}{{ end -}}
{{- end -}}

{{- define "cp.slack_over" -}}
:white_check_mark: Over after {{ template "cp.lasted" . }}: {{ template "cp.slack_line" . }}
{{- end -}}

{{- define "cp.slack_links" -}}
{{ with .Annotations.runbook_url }}<{{ . }}|runbook> · {{ end -}}
{{ with .Annotations.dashboard }}<{{ . }}|dashboard> · {{ end -}}
{{ with graphURL . }}<{{ . }}|graph> · {{ end -}}
<{{ storyURL . }}|story> · <{{ silenceURL .Labels }}|silence>
{{- end -}}

{{- define "controlplane.slack.username" -}}controlplane{{- end -}}
{{- define "controlplane.slack.color" -}}
{{ if ne .Status "firing" }}good{{ else if eq .CommonLabels.severity "warning" -}}
warning{{ else }}danger{{ end -}}
{{- end -}}
{{- define "controlplane.slack.title" -}}
{{ template "cp.state" . }}: {{ template "cp.slack_what" . }}{{ template "cp.slack_where" . -}}
{{ template "cp.count" . }}
{{- end -}}
{{- define "controlplane.slack.titlelink" -}}{{ template "cp.story" . }}{{- end -}}
{{- define "controlplane.slack.fallback" -}}
{{ template "controlplane.slack.title" . }}: {{ if .CommonAnnotations.summary -}}
{{ .CommonAnnotations.summary }}{{ else -}}
{{ template "cp.slack_what" . }}{{ template "cp.slack_where" . }}{{ end -}}
{{- end -}}
{{- define "controlplane.slack.footer" -}}
{{ template "cp.slack" .Receiver }}{{ if .CommonLabels.severity }} · severity {{
  template "cp.slack" .CommonLabels.severity }}{{ end -}}
{{- end -}}
{{- define "controlplane.slack.text" -}}
{{ range $index, $alert := .Alerts.Firing }}{{ if ge $index 10 }}{{ break }}{{ end -}}
*{{ template "cp.slack_line" $alert }}*
{{ with $alert.Annotations.description }}{{ . }}
{{ end }}{{ with reading $alert }}Now {{ template "cp.slack" . }}
{{ end }}{{ template "cp.since" $alert }}
{{ template "cp.slack_links" $alert }}
{{ end -}}
{{ if gt (len .Alerts.Firing) 10 }}and {{ len (slice .Alerts.Firing 10) }} more
{{ end -}}
{{ range $index, $alert := .Alerts.Resolved }}{{ if ge $index 10 }}{{ break }}{{ end -}}
{{ template "cp.slack_over" $alert }}
{{ end -}}
{{ if gt (len .Alerts.Resolved) 10 }}and {{ len (slice .Alerts.Resolved 10) }} more resolved
{{ end -}}
{{- end -}}

{{- define "controlplane.slack.history" -}}
{{ if .Alerts }}{{ range $index, $alert := .Alerts }}{{ if ge $index 10 }}{{ break }}{{ end -}}
{{ if $index }}
{{ end }}{{ if eq $alert.Status "firing" }}:rotating_light: {{ template "cp.slack_line" $alert -}}
{{ with reading $alert }} (now {{ template "cp.slack" . }}){{ end -}}
{{ else }}{{ template "cp.slack_over" $alert }}{{ end }}{{ end -}}
{{ if gt (len .Alerts) 10 }}
and {{ len (slice .Alerts 10) }} more{{ end -}}
{{ else }}:repeat: no change{{ end -}}
{{- end -}}
"""

_PAGERDUTY: Final = """
{{- define "controlplane.pagerduty.description" -}}
{{ template "cp.headline" . }}{{ if eq (len .Alerts) 1 -}}
{{ with reading (index .Alerts 0) }} (now {{ . }}){{ end }}{{ end -}}
{{ template "cp.count" . }}
{{- end -}}
{{- define "controlplane.pagerduty.client" -}}controlplane{{- end -}}
{{- define "controlplane.pagerduty.clientURL" -}}{{ template "cp.story" . }}{{- end -}}
{{- define "controlplane.pagerduty.source" -}}
{{ with .CommonLabels }}{{ if .instance }}{{ .instance }}{{ else }}{{ .job }}{{ end }}{{ end -}}
{{- end -}}
{{- define "controlplane.pagerduty.runbook" -}}{{ .CommonAnnotations.runbook_url }}{{- end -}}
{{- define "controlplane.pagerduty.dashboard" -}}{{ .CommonAnnotations.dashboard }}{{- end -}}
{{- define "controlplane.pagerduty.graph" -}}
{{ if eq (len .Alerts) 1 }}{{ graphURL (index .Alerts 0) }}{{ end -}}
{{- end -}}
{{- define "controlplane.pagerduty.story" -}}{{ template "cp.story" . }}{{- end -}}
{{- define "controlplane.pagerduty.silence" -}}{{ template "cp.silence" . }}{{- end -}}
"""

_EMAIL: Final = """
{{- define "controlplane.email.subject" -}}
{{ template "cp.state" . }}: {{ template "cp.headline" . }}{{ template "cp.count" . }}
{{- end -}}
{{- define "email.default.html" -}}{{ template "controlplane.email.html" . }}{{- end -}}
{{- define "controlplane.email.html" -}}
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ template "controlplane.email.subject" . }}</title></head>
<body style="margin:0;padding:16px;background:#f4f5f7;color:#1c2430;font:15px/1.5 sans-serif">
<div style="max-width:640px;margin:0 auto;background:#fff;border-radius:6px;overflow:hidden">
<div style="padding:16px 24px;color:#fff;background:{{ if eq .Status "firing" }}#b3261e{{ else -}}
#1b7f4b{{ end }}"><b>{{ template "controlplane.email.subject" . }}</b></div>
<div style="padding:8px 24px 24px">
{{ with picture }}<p style="margin:16px 0 0"><img src="cid:{{ .id }}" width="{{ .width }}"
height="{{ .height }}" alt="{{ .words }}" style="width:100%;height:auto"></p>{{ end -}}
{{ range $index, $alert := .Alerts.Firing }}{{ if ge $index 50 }}{{ break }}{{ end -}}
{{ template "cp.email_alert" $alert }}{{ end -}}
{{ if gt (len .Alerts.Firing) 50 }}<p>and {{ len (slice .Alerts.Firing 50) }} more</p>{{ end }}
{{ if .Alerts.Resolved }}<h3 style="margin:24px 0 0">Over</h3>{{ end -}}
{{ range $index, $alert := .Alerts.Resolved }}{{ if ge $index 50 }}{{ break }}{{ end -}}
{{ template "cp.email_alert" $alert }}{{ end -}}
{{ if gt (len .Alerts.Resolved) 50 }}<p>and {{ len (slice .Alerts.Resolved 50) }} more</p>{{ end }}
<p style="margin:24px 0 0;font-size:13px;color:#5b6675">To {{ .Receiver }} from
<a href="{{ alertsURL }}">controlplane</a>.</p>
</div></div></body></html>
{{- end -}}

{{- define "cp.email_alert" -}}
<div style="margin-top:16px;border-top:1px solid #dfe3e8;padding-top:12px">
<b>{{ if .Annotations.summary }}{{ .Annotations.summary }}{{ else -}}
{{ .Labels.alertname }}{{ end }}</b>
{{ with .Annotations.description }}<div>{{ . }}</div>{{ end -}}
{{ if eq .Status "firing" }}{{ with reading . }}<div>Now <b>{{ . }}</b></div>{{ end }}{{ end -}}
<div style="color:#5b6675">{{ if eq .Status "firing" }}{{ template "cp.since" . -}}
{{ else }}lasted {{ template "cp.lasted" . }}{{ end }}</div>
<div style="font:13px/1.5 monospace">{{ range .Labels.SortedPairs -}}
{{ .Name }}={{ .Value }}<br>{{ end }}</div>
<div>{{ with .Annotations.runbook_url }}<a href="{{ . }}">runbook</a> · {{ end -}}
{{ with .Annotations.dashboard }}<a href="{{ . }}">dashboard</a> · {{ end -}}
{{ with graphURL . }}<a href="{{ . }}">graph</a> · {{ end -}}
<a href="{{ storyURL . }}">story</a> · <a href="{{ silenceURL .Labels }}">silence</a></div>
</div>
{{- end -}}
"""

DEFAULT_TEMPLATES: Final = _SHARED + _SLACK + _PAGERDUTY + _EMAIL
