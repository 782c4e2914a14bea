{{/* The file that every edge reads: what the values say, and over it what the chart itself decides. */}}
{{- define "meridian.config" -}}
{{- $ports := .Values.ports }}
{{- $listen := dict "http" (dict "host" "0.0.0.0" "port" (int $ports.http)) }}
{{- if .Values.tls.secretName }}
{{- $https := dict "host" "0.0.0.0" "port" (int $ports.https) "certFile" "/etc/meridian-tls/tls.crt" "keyFile" "/etc/meridian-tls/tls.key" }}
{{- $listen = mergeOverwrite $listen (dict "https" $https) }}
{{- end }}
{{- $admin := dict "host" "0.0.0.0" "port" (int $ports.admin) }}
{{- $shutdown := dict "grace" (printf "%ds" (int .Values.shutdown.graceSeconds)) }}
{{- $ours := dict "listen" $listen "admin" $admin "shutdown" $shutdown }}
{{- $config := mergeOverwrite (deepCopy .Values.config) $ours }}
{{- omit $config "regions" | toYaml }}
regions:
{{- range $id := default (keys $config.regions | sortAlpha) .Values.regionOrder }}
  {{ $id }}:
    {{- index $config.regions $id | toYaml | nindent 4 }}
{{- end }}
{{- end }}

{{/* What would only show when it is too late. */}}
{{- define "meridian.check" -}}
{{- if not .Values.config.regions }}
{{- fail "config.regions is empty: say which regions there are, docs/install-kubernetes.md" }}
{{- end }}
{{- $order := .Values.regionOrder }}
{{- if and $order (ne (keys .Values.config.regions | sortAlpha | join " ") ($order | sortAlpha | join " ")) }}
{{- fail "regionOrder names other regions than config.regions" }}
{{- end }}
{{- $policy := (default (dict) .Values.config.routing).policy }}
{{- if and (eq (default "latency" $policy) "priority") (not $order) }}
{{- fail "regionOrder is missing: routing.policy priority goes by the order of the regions, which Helm does not keep" }}
{{- end }}
{{- if and (not .Values.config.redis) (or .Values.autoscaling.enabled (gt (int .Values.replicas) 1)) }}
{{- fail "config.redis is missing: without it each edge knows its own pins alone; set it, or replicas to 1" }}
{{- end }}
{{- if not (or .Values.secret.existingSecret .Values.secret.values) }}
{{- fail "secret.existingSecret is missing: name the Secret that has MERIDIAN_SECRET and MERIDIAN_OPERATOR_SHA256, or give secret.values" }}
{{- end }}
{{- end }}
