#!/bin/sh
# Build sdist and wheel, install the wheel into an empty environment and use it there, away from the sources.
# Usage: scripts/check_package.sh PYTHON
set -eu
python=$1
root=$(cd "$(dirname "$0")/.." && pwd)
case $python in /*) ;; *) python=$root/$python ;; esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m build --outdir "$work/dist" "$root" >"$work/build.log" 2>&1 || { tail -30 "$work/build.log"; exit 1; }
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check -c "$root/constraints.txt" "$work"/dist/*.whl
cd "$work"
run="$work/venv/bin/napari-celltype"
"$run" info
"$run" sample recording sample.nwb
"$run" sample neuron sample.swc
"$work/venv/bin/python" - <<'PY'
import napari_celltype as nct

recording = nct.read_recording("sample.nwb")
neuron = nct.read_neuron("sample.swc")
assert len(recording.sweeps) > 5, recording
assert recording.sweeps[0].voltage_mv().size > 1000
assert len(neuron) > 500, neuron
print(f"wheel: {len(recording.sweeps)} sweeps, {len(neuron)} nodes read")
PY
"$run" check sample.swc --json >check.json
ls -l dist
