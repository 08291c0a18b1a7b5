#!/bin/sh
# Make the environment: system libraries that Qt needs (where we may install them), a virtual environment, the package.
# Usage: scripts/setup.sh VENV
set -eu
venv=$1
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

find_python() {
  for name in ${PYTHON_FOR_VENV:-} python3.11 python3.12 python3.13 python3; do
    if command -v "$name" >/dev/null 2>&1 &&
      "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  command -v apt-get >/dev/null 2>&1 && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

install_system() {
  missing=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
  done
  [ -z "$missing" ] && return 0
  if may_install; then
    say "Installing system packages:$missing"
    # shellcheck disable=SC2086
    { as_root apt-get update -qq && as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -qq --no-install-recommends $missing; } >/dev/null ||
      say "Could not install:$missing. Windows may not open until they are there."
  else
    say "These system packages are missing and cannot be installed from here:$missing"
    say "Ask for: apt-get install$missing"
  fi
}

if [ "$(uname)" = Linux ] && command -v dpkg-query >/dev/null 2>&1; then
  glib=libglib2.0-0
  apt-cache show libglib2.0-0t64 >/dev/null 2>&1 && glib=libglib2.0-0t64
  install_system libegl1 libgl1 libdbus-1-3 libfontconfig1 "$glib" libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 \
    libxkbcommon-x11-0 libxcb-shape0
  [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] || install_system xvfb xauth
fi

python=$(find_python)
if [ -z "$python" ] && may_install; then
  install_system python3 python3-venv
  python=$(find_python)
fi
if [ -z "$python" ]; then
  say "Python 3.11 or newer is needed and was not found. Install it, or name it: PYTHON_FOR_VENV=/path/to/python3 make setup"
  exit 1
fi

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  say "Creating $venv with $python"
  rm -rf "$venv"
  if ! "$python" -m venv "$venv" 2>/dev/null; then
    rm -rf "$venv"
    install_system python3-venv
    "$python" -m venv "$venv"
  fi
fi

# The pins are those the tests pass with on Python 3.11; a newer Python takes what it finds.
pins="-c constraints.txt"
"$venv/bin/python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
  { grep -E '^(napari|torch|PyQt6|PyQt6-Qt6|pynwb|pyabf|navis)==' constraints.txt >"$venv/pins.txt"; pins="-c $venv/pins.txt"; }

say "Installing napari-celltype and what it needs (a few minutes the first time)"
# shellcheck disable=SC2086
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check $pins -e ".[all,training,test,dev]"
