"""Run the speed comparisons one after another and write what they print to ``docs/speed.md``.

Each script runs us and the peer in one process, interleaved, compares the results before it times them, and prints
medians and ratios. Scripts whose peers are missing from this environment run in ``.venv-validation``.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAIN = Path(sys.executable)
PEERS = ROOT / ".venv-validation" / "bin" / "python"

SCRIPTS = {
    "io.py": ("Recordings: opening and reading", MAIN),
    "swc.py": ("Reconstructions: reading with validation", PEERS),
    "ephys.py": ("Spikes and features", PEERS),
    "morphology.py": ("Repair and measurements", PEERS),
    "models.py": ("Models", MAIN),
    "gui.py": ("In napari", MAIN),
    "gui_repair.py": ("In napari: edits of a neuron of 25,000 nodes", MAIN),
}

HEAD = """# Speed

Every figure on this page was printed by a script in `benchmarks/`; `make bench` runs them all and writes the page
anew. Ours and the peer's work run in one process, in turn, and their results are compared before anything is timed.
Ratios carry over to other machines better than times do.

Measured on {date}: {machine}.
"""


def main() -> int:
    """Run what is there, write the page, and say which scripts failed."""
    wanted = sys.argv[1:] or list(SCRIPTS)
    sections, failed = [], []
    for name in wanted:
        title, python = SCRIPTS[name]
        script = ROOT / "benchmarks" / name
        if not script.exists():
            continue
        print(f"== benchmarks/{name}", flush=True)
        done = subprocess.run([python if python.exists() else MAIN, script], capture_output=True, text=True)
        print(done.stdout + done.stderr, flush=True)
        if done.returncode:
            failed.append(name)
        sections.append(f"\n## {title}\n\n`benchmarks/{name}`\n\n```text\n{done.stdout.strip()}\n```\n")
    if not sys.argv[1:]:
        head = HEAD.format(date=datetime.date.today().isoformat(), machine=_machine())
        (ROOT / "docs" / "speed.md").write_text(head + "".join(sections), encoding="utf-8")
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    raise SystemExit(main())
