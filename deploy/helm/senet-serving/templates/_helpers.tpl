{{- define "senet.name" -}}
{{- /* The rules find the replicas by a job that begins with the chart's name. */ -}}
{{- if hasPrefix .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Chart.Name .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "senet.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "senet.labels" -}}
{{ include "senet.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "senet.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}{{ end }}
{{- end }}

{{- define "senet.hardened" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "senet.modelFolder" -}}
{{ .Values.model | replace ":" "/" }}
{{- end }}

{{- define "senet.modelsFrom" -}}
{{- with .Values.models }}{{ if .claim }}claim{{ else if .image }}image{{ else if .fetch.source }}fetch{{ end }}{{ end }}
{{- end }}
