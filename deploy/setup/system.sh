#!/usr/bin/env bash
# Install the system programs the tests use (the broker mosquitto, the browser chromium, victoria-metrics as a server
# that takes InfluxDB writes) where that is allowed.
# Without them those tests are skipped and say so; with CI=true they fail instead.
set -uo pipefail
PATH=$PATH:/usr/sbin:/usr/local/sbin
missing=()
command -v mosquitto >/dev/null || missing+=(mosquitto)
command -v victoria-metrics >/dev/null || missing+=(victoria-metrics)
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
[ ${#missing[@]} -eq 0 ] && exit 0
if ! command -v apt-get >/dev/null; then
    echo "Not installed and no apt-get here: ${missing[*]}; their tests will be skipped." >&2
    exit 0
fi
elevate=()
if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then
        elevate=(sudo -n)
    else
        echo "Not installed: ${missing[*]}. Run 'sudo apt-get install ${missing[*]}'; until then their tests are skipped." >&2
        exit 0
    fi
fi
echo "Installing ${missing[*]} ..."
export DEBIAN_FRONTEND=noninteractive
"${elevate[@]}" apt-get update -qq
if ! "${elevate[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null; then
    echo "apt-get could not install ${missing[*]}; their tests will be skipped." >&2
fi
# A server started by its package would hold the default port.
for service in mosquitto victoria-metrics; do
    if [[ " ${missing[*]} " == *" $service "* ]] && command -v systemctl >/dev/null; then
        "${elevate[@]}" systemctl disable --now "$service" >/dev/null 2>&1 || true
    fi
done
exit 0
