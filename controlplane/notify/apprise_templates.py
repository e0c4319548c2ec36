"""The default texts of what Apprise sends: plain, for services of every kind."""

from typing import Final

APPRISE_TEMPLATES: Final = """
{{- define "controlplane.apprise.title" -}}
{{ if ne .Status "firing" }}RESOLVED{{ else if eq .CommonLabels.severity "critical" }}CRITICAL{{
  else }}FIRING{{ end }}: {{ with .CommonAnnotations.summary }}{{ . }}{{ else }}{{
  with .CommonLabels.alertname }}{{ . }}{{ else }}{{ $.GroupLabels.SortedPairs.Values.Join " " }}{{
  end }}{{ with .CommonLabels.instance }} on {{ . }}{{ end }}{{ end -}}
{{ if gt (len .Alerts) 1 }} ({{ with .Alerts.Firing }}{{ len . }} firing{{ end }}{{
  if and .Alerts.Firing .Alerts.Resolved }}, {{ end }}{{
  with .Alerts.Resolved }}{{ len . }} resolved{{ end }}){{ end -}}
{{- end -}}

{{- define "controlplane.apprise.body" -}}
{{ range $index, $alert := .Alerts }}{{ if lt $index 20 }}{{ if $index }}
{{ end }}{{ template "cp.apprise.alert" $alert -}}
Story: {{ $.ExternalURL }}/alerts/{{ $alert.Fingerprint }}
{{ end }}{{ end -}}
{{ if gt (len .Alerts) 20 }}
and {{ len (slice .Alerts 20) }} more
{{ end -}}
{{- end -}}

{{- define "cp.apprise.alert" -}}
{{ if eq .Status "firing" }}{{ template "cp.apprise.what" . }}
{{ with .Annotations.description }}{{ . }}
{{ end }}Since {{ .StartsAt.UTC.Format "2006-01-02 15:04:05 UTC" }}
{{ else }}Over after {{ humanizeDuration (printf "%.0f" (.EndsAt.Sub .StartsAt).Seconds) }}: {{
  template "cp.apprise.what" . }}
{{ end }}{{ with .Annotations.runbook_url }}Runbook: {{ . }}
{{ end }}{{ with .Annotations.dashboard }}Dashboard: {{ . }}
{{ end }}{{ with .GeneratorURL }}Query: {{ . }}
{{ end -}}
{{- end -}}

{{- define "cp.apprise.what" -}}
{{ with .Annotations.summary }}{{ . }}{{ else }}{{ .Labels.SortedPairs }}{{ end -}}
{{- end -}}
"""
