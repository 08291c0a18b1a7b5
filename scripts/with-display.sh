#!/bin/sh
# Run a command where windows can open: on the display there is, else on a virtual one.
set -eu
if [ "$(uname)" = Linux ] && [ -z "${DISPLAY:-}" ] && [ -z "${WAYLAND_DISPLAY:-}" ]; then
  if ! command -v xvfb-run >/dev/null 2>&1; then
    echo "There is no display and no xvfb-run. Install it (Debian, Ubuntu: apt-get install xvfb xauth) and try again." >&2
    exit 1
  fi
  exec xvfb-run -a -s "-screen 0 1600x1200x24" "$@"
fi
exec "$@"
