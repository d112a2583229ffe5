#!/usr/bin/env bash
# Brings docker-compose.yml up with Docker Compose as it stands: networks, health checks, the order
# that they set, read-only roots. Asks each part, stops the service, and takes everything down.
#
#   SERVICES   which of them; by default all that stand behind no profile
#   NO_BUILD   set to use the images that are there (deploy/stand_in_images.sh makes them where
#              the public ones cannot be pulled; there is none of Grafana)
set -euo pipefail
cd "$(dirname "$0")/.."
docker info >/dev/null
# A project of its own, so that taking it down with its volumes cannot touch yours.
export COMPOSE_PROJECT_NAME=senet-test
read -ra services <<<"${SERVICES:-senet prometheus alertmanager grafana}"
trap 'docker compose logs --tail 20; docker compose down -v' EXIT

build=(--build)
[ -z "${NO_BUILD:-}" ] || build=(--no-build)
docker compose up "${build[@]}" --wait --wait-timeout 120 "${services[@]}"

state() { docker inspect --format "$2" "$(docker compose ps -aq "$1")"; }
echo "== health"
[ "$(state senet '{{.State.Health.Status}}')" = healthy ]
healthy_at=$(state senet '{{range .State.Health.Log}}{{if eq .ExitCode 0}}{{.End.Unix}}
{{end}}{{end}}' | head -1)
prometheus_at=$(date -d "$(state prometheus '{{.State.StartedAt}}')" +%s)
echo "service healthy at $healthy_at, Prometheus started at $prometheus_at"
[ "$prometheus_at" -ge "$healthy_at" ]

echo "== what they say of each other"
python3 - "${services[@]}" <<'PYTHON'
import json, sys, time, urllib.parse, urllib.request

def get(url):
    with urllib.request.urlopen(url, timeout=2) as answer:
        return json.load(answer)

def eventually(what, url, is_so):
    for _ in range(90):
        try:
            if is_so(get(url)):
                return print(what)
        except OSError:
            pass
        time.sleep(1)
    sys.exit(f"not within 90 s: {what}")

query = urllib.parse.quote('senet_ready == 1 and on (job, instance) up{job="senet-serving"} == 1')
eventually("Prometheus sees the service ready", f"http://localhost:9090/api/v1/query?query={query}",
           lambda answer: answer["data"]["result"])
eventually("Prometheus has loaded the rules", "http://localhost:9090/api/v1/rules",
           lambda answer: len(answer["data"]["groups"]) == 2)
if "alertmanager" in sys.argv:
    eventually("Prometheus sends its alerts", "http://localhost:9090/api/v1/alertmanagers",
               lambda answer: answer["data"]["activeAlertmanagers"])
    eventually("Alertmanager routes by severity", "http://localhost:9093/api/v2/status",
               lambda answer: 'severity="page"' in answer["config"]["original"])
if "grafana" in sys.argv:
    eventually("Grafana has the dashboard", "http://localhost:3000/api/dashboards/uid/senet",
               lambda answer: answer["dashboard"]["title"] == "SENet service")
PYTHON

echo "== stop"
docker compose stop senet
[ "$(state senet '{{.State.ExitCode}}')" = 0 ]
trap 'docker compose down -v' EXIT
echo "1 passed, 0 failed"
