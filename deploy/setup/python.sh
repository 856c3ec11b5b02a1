#!/usr/bin/env bash
# Make the virtual environment and install Arterial with the given extras, editable.
# Usage: python.sh PYTHON VENV EXTRAS
set -euo pipefail
python=$1 venv=$2 extras=$3
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "Python 3.11 or newer is needed; $python is $("$python" --version 2>&1 || echo missing). Try: make PYTHON=python3.12 ..." >&2
    exit 2
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "Installing Python packages into $venv ($extras) ..."
"$venv/bin/pip" install --quiet --disable-pip-version-check --editable ".[$extras]"
