#!/bin/sh
# An environment apart, with the peers our values are checked against; never a dependency of the package.
# Usage: scripts/validation-env.sh PYTHON VENV
set -eu
python=$1
venv=$2
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r scripts/validation-requirements.txt
