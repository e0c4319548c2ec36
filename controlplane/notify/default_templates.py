"""The templates that messages use unless the configuration has others.

They carry Alertmanager's names, so that a file that overrides one of them does
what it always did; the wording is ours. A message says what is broken, how
badly, since when, what to do, and where to look.

Slack reads `&`, `<` and `>` as markup: what our texts print of labels is
escaped, so that no label can mention a channel or fake a link. Annotations are
as their author wrote them, links included; Alertmanager escapes neither.
"""

from typing import Final

DEFAULT_TEMPLATES: Final = """
{{- define "__state" -}}
{{ if eq .Status "firing" }}{{ if eq .CommonLabels.severity "critical" -}}
CRITICAL{{ else }}FIRING{{ end }}{{ else }}RESOLVED{{ end }}
{{- end -}}

{{- define "__count" -}}
{{ $firing := len .Alerts.Firing }}{{ $resolved := len .Alerts.Resolved -}}
{{ if gt (len .Alerts) 1 }} ({{ if $firing }}{{ $firing }} firing{{ end -}}
{{ if and $firing $resolved }}, {{ end }}{{ if $resolved }}{{ $resolved }} resolved{{ end }})
{{- end -}}
{{- end -}}

{{- define "__what" -}}
{{ if .CommonLabels.alertname }}{{ .CommonLabels.alertname }}{{ else -}}
{{ if .GroupLabels }}{{ .GroupLabels.SortedPairs.Values.Join " " }}{{ else -}}
{{ len .Alerts }} alerts{{ end }}{{ end -}}
{{- end -}}

{{- define "__where" -}}
{{ if .CommonLabels.instance }} on {{ .CommonLabels.instance }}{{ else -}}
{{ if .CommonLabels.job }} in {{ .CommonLabels.job }}{{ end }}{{ end -}}
{{- end -}}

{{- define "__slack" -}}
{{ reReplaceAll ">" "&gt;" (reReplaceAll "<" "&lt;" (reReplaceAll "&" "&amp;" .)) }}
{{- end -}}

{{- define "__slack_what" -}}
{{ if .CommonLabels.alertname }}{{ template "__slack" .CommonLabels.alertname }}{{ else -}}
{{ if .GroupLabels }}{{ template "__slack" (.GroupLabels.SortedPairs.Values.Join " ") }}{{ else -}}
{{ len .Alerts }} alerts{{ end }}{{ end -}}
{{- end -}}

{{- define "__slack_where" -}}
{{ if .CommonLabels.instance }} on {{ template "__slack" .CommonLabels.instance }}{{ else -}}
{{ if .CommonLabels.job }} in {{ template "__slack" .CommonLabels.job }}{{ end }}{{ end -}}
{{- end -}}

{{- define "__slack_subject" -}}
{{ template "__state" . }}: {{ template "__slack_what" . }}{{ template "__slack_where" . }}
{{- template "__count" . }}
{{- end -}}

{{- define "__headline" -}}
{{ if .CommonAnnotations.summary }}{{ .CommonAnnotations.summary }}{{ else -}}
{{ template "__what" . }}{{ template "__where" . }}{{ end -}}
{{- end -}}

{{- define "__story" -}}{{ .ExternalURL }}/api/v1/alerts{{- end -}}

{{- define "__alert_story" -}}
{{ if eq (len .Alerts) 1 }}{{ .ExternalURL }}/api/v1/alerts/{{
  (index .Alerts 0).Fingerprint }}/story{{ else }}{{ template "__story" . }}{{ end -}}
{{- end -}}

{{- define "__since" -}}
{{ $seconds := (since .StartsAt).Seconds -}}
{{ if ge $seconds 60.0 }}For {{ humanizeDuration (printf "%.0f" $seconds) }}, since{{ else }}Since{{
  end }} {{ .StartsAt.UTC.Format "2006-01-02 15:04:05 UTC" -}}
{{- end -}}

{{- define "__over" -}}
:white_check_mark: Over after {{
  humanizeDuration (printf "%.0f" (.EndsAt.Sub .StartsAt).Seconds) }}: {{
  template "__alert_line" . }}
{{- end -}}

{{- define "__alert_line" -}}
{{ if .Annotations.summary }}{{ .Annotations.summary }}{{ else if .Annotations.description -}}
{{ .Annotations.description }}{{ else -}}
{{ template "__slack" (print .Labels.SortedPairs) }}{{ end -}}
{{- end -}}

{{- define "slack.default.username" -}}controlplane{{- end -}}
{{- define "slack.default.color" -}}
{{ if ne .Status "firing" }}good{{ else if eq .CommonLabels.severity "warning" -}}
warning{{ else }}danger{{ end -}}
{{- end -}}
{{- define "slack.default.title" -}}{{ template "__slack_subject" . }}{{- end -}}
{{- define "slack.default.titlelink" -}}
{{ if eq (len .Alerts) 1 }}{{ (index .Alerts 0).GeneratorURL }}{{ else -}}
{{ template "__story" . }}{{ end -}}
{{- end -}}
{{- define "slack.default.pretext" -}}{{- end -}}
{{- define "slack.default.fallback" -}}
{{ template "__slack_subject" . }}: {{ if .CommonAnnotations.summary -}}
{{ .CommonAnnotations.summary }}{{ else -}}
{{ template "__slack_what" . }}{{ template "__slack_where" . }}{{ end -}}
{{- end -}}
{{- define "slack.default.iconemoji" -}}{{- end -}}
{{- define "slack.default.iconurl" -}}{{- end -}}
{{- define "slack.default.callbackid" -}}{{- end -}}
{{- define "slack.default.footer" -}}
{{ template "__slack" .Receiver }}{{ if .CommonLabels.severity }} · severity {{
  template "__slack" .CommonLabels.severity }}{{ end -}}
{{- end -}}
{{- define "slack.default.text" -}}
{{ range $index, $alert := .Alerts.Firing }}{{ if lt $index 10 -}}
*{{ template "__alert_line" $alert }}*
{{ with $alert.Annotations.description }}{{ . }}
{{ end }}{{ template "__since" $alert -}}
{{ with $alert.Annotations.runbook_url }} · <{{ . }}|runbook>{{ end -}}
{{ with $alert.Annotations.dashboard }} · <{{ . }}|dashboard>{{ end -}}
{{ with $alert.GeneratorURL }} · <{{ . }}|query>{{ end }} · <{{ $.ExternalURL }}/api/v1/alerts/{{
  $alert.Fingerprint }}/story|story>
{{ end }}{{ end -}}
{{ if gt (len .Alerts.Firing) 10 }}and {{ len (slice .Alerts.Firing 10) }} more
{{ end -}}
{{ range $index, $alert := .Alerts.Resolved }}{{ if lt $index 10 -}}
{{ template "__over" $alert }}
{{ end }}{{ end -}}
{{ if gt (len .Alerts.Resolved) 10 }}and {{ len (slice .Alerts.Resolved 10) }} more resolved
{{ end -}}
{{- end -}}

{{- define "slack.default.history" -}}
{{ if .Alerts }}{{ range $index, $alert := .Alerts }}{{ if lt $index 10 }}{{ if $index }}
{{ end }}{{ if eq $alert.Status "firing" }}:rotating_light: {{ template "__alert_line" $alert -}}
{{ else }}{{ template "__over" $alert }}{{ end }}{{ end }}{{ end -}}
{{ if gt (len .Alerts) 10 }}
and {{ len (slice .Alerts 10) }} more{{ end -}}
{{ else }}:repeat: no change{{ end -}}
{{- end -}}

{{- define "pagerduty.default.description" -}}
{{ template "__headline" . }}{{ template "__count" . }}
{{- end -}}
{{- define "pagerduty.default.client" -}}controlplane{{- end -}}
{{- define "pagerduty.default.clientURL" -}}{{ template "__alert_story" . }}{{- end -}}
{{- define "pagerduty.default.source" -}}
{{ with .CommonLabels }}{{ if .instance }}{{ .instance }}{{ else }}{{ .job }}{{ end }}{{ end -}}
{{- end -}}
{{- define "pagerduty.default.runbook" -}}{{ .CommonAnnotations.runbook_url }}{{- end -}}
{{- define "pagerduty.default.dashboard" -}}{{ .CommonAnnotations.dashboard }}{{- end -}}
{{- define "pagerduty.default.query" -}}
{{ if eq (len .Alerts) 1 }}{{ (index .Alerts 0).GeneratorURL }}{{ end -}}
{{- end -}}

{{- define "email.default.subject" -}}
{{ template "__state" . }}: {{ template "__headline" . }}{{ template "__count" . }}
{{- end -}}
{{- define "email.default.html" -}}
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ template "email.default.subject" . }}</title></head>
<body style="margin:0;padding:16px;background:#f4f5f7;color:#1c2430;font:15px/1.5 sans-serif">
<div style="max-width:640px;margin:0 auto;background:#fff;border-radius:6px;overflow:hidden">
<div style="padding:16px 24px;color:#fff;background:{{ if eq .Status "firing" }}#b3261e{{ else -}}
#1b7f4b{{ end }}"><b>{{ template "email.default.subject" . }}</b></div>
<div style="padding:8px 24px 24px">
{{ range $index, $alert := .Alerts.Firing }}{{ if lt $index 50 }}{{ template "__email_alert" (dict
  "alert" $alert "root" $) }}{{ end }}{{ end -}}
{{ if gt (len .Alerts.Firing) 50 }}<p>and {{ len (slice .Alerts.Firing 50) }} more</p>{{ end }}
{{ if .Alerts.Resolved }}<h3 style="margin:24px 0 0">Over</h3>{{ end -}}
{{ range $index, $alert := .Alerts.Resolved }}{{ if lt $index 50 }}{{ template "__email_alert" (dict
  "alert" $alert "root" $) }}{{ end }}{{ end -}}
{{ if gt (len .Alerts.Resolved) 50 }}<p>and {{ len (slice .Alerts.Resolved 50) }} more</p>{{ end }}
<p style="margin:24px 0 0;font-size:13px;color:#5b6675">To {{ .Receiver }} from
<a href="{{ template "__story" . }}">controlplane</a>.</p>
</div></div></body></html>
{{- end -}}

{{- define "__email_alert" -}}
{{ $alert := .alert -}}
<div style="margin-top:16px;border-top:1px solid #dfe3e8;padding-top:12px">
<b>{{ if $alert.Annotations.summary }}{{ $alert.Annotations.summary }}{{ else -}}
{{ $alert.Labels.alertname }}{{ end }}</b>
{{ with $alert.Annotations.description }}<div>{{ . }}</div>{{ end -}}
<div style="color:#5b6675">{{ if eq $alert.Status "firing" }}{{ template "__since" $alert -}}
{{ else }}lasted {{ humanizeDuration (printf "%.0f" ($alert.EndsAt.Sub $alert.StartsAt).Seconds) -}}
{{ end }}</div>
<div style="font:13px/1.5 monospace">{{ range $alert.Labels.SortedPairs -}}
{{ .Name }}={{ .Value }}<br>{{ end }}</div>
<div>{{ with $alert.Annotations.runbook_url }}<a href="{{ . }}">runbook</a> · {{ end -}}
{{ with $alert.Annotations.dashboard }}<a href="{{ . }}">dashboard</a> · {{ end -}}
{{ with $alert.GeneratorURL }}<a href="{{ . }}">query</a> · {{ end -}}
<a href="{{ .root.ExternalURL }}/api/v1/alerts/{{ $alert.Fingerprint }}/story">story</a></div>
</div>
{{- end -}}

{{- define "apprise.default.title" }}{{ template "email.default.subject" . }}{{ end -}}
{{- define "apprise.default.body" -}}
{{ range $index, $alert := .Alerts }}{{ if lt $index 20 }}{{ if $index }}
{{ end }}{{ template "__apprise_alert" (dict "alert" $alert "root" $) }}{{ end }}{{ end -}}
{{ if gt (len .Alerts) 20 }}
and {{ len (slice .Alerts 20) }} more
{{ end -}}
{{- end -}}

{{- define "__apprise_alert" -}}
{{ $alert := .alert -}}
{{ if eq $alert.Status "firing" }}{{ template "__plain_line" $alert }}
{{ with $alert.Annotations.description }}{{ . }}
{{ end }}{{ template "__since" $alert }}
{{ else }}Over after {{ humanizeDuration (printf "%.0f" ($alert.EndsAt.Sub $alert.StartsAt).Seconds)
  }}: {{ template "__plain_line" $alert }}
{{ end }}{{ with $alert.Annotations.runbook_url }}Runbook: {{ . }}
{{ end }}{{ with $alert.Annotations.dashboard }}Dashboard: {{ . }}
{{ end }}{{ with $alert.GeneratorURL }}Query: {{ . }}
{{ end }}Story: {{ .root.ExternalURL }}/alerts/{{ $alert.Fingerprint }}
{{ end -}}

{{- define "__plain_line" -}}
{{ if .Annotations.summary }}{{ .Annotations.summary }}{{ else }}{{ .Labels.SortedPairs }}{{ end -}}
{{- end -}}
"""
