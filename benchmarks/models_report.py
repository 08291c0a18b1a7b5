"""Run the recipes that have not been run, and write ``docs/benchmark.md`` from what they report.

``python benchmarks/models_report.py [--data DIR] [--runs DIR]``; recipes that were interrupted go on where they were.
A section is a function from the reports to Markdown; add it to SECTIONS with the recipes it needs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_celltype.training.cards import figures_table, per_class_table
from napari_celltype.training.job import Job, print_progress
from napari_celltype.training.recipes import run_recipe
from reconstruction_sections import SHARED, published_section, reconstruction_section
from waveform_sections import waveform_paper_section, waveform_section

ROOT = Path(__file__).resolve().parents[1]
Reports = dict[str, dict[str, Any]]

HEAD = """# How good the models are

Every figure on this page was measured by `make benchmark-models`, which trains all recipes on the labelled tables and
writes the page. Cells are split **by donor**: no cell is judged by a model that saw another cell of its donor. Figures
are means over seeds ± standard deviation, with 95 % intervals from drawing donors anew.

What was chosen where: settings of densities and kernel machines are chosen within the training donors of every fold,
and calibration and the weights of joined models on other donors, so these figures are of donors on which nothing was
chosen. Models in the package are made in the same way, with as many networks as were judged. Size and teaching of the
networks were settled once, by folds of these same cells; for the networks' share of a verdict an independent set of
donors may therefore score a little lower (or, with luck, higher).
"""


def features_section(reports: Reports) -> str:
    figures = {
        "**lspin** (shipped)": reports["lspin"]["conditions"]["all stimuli"],
        **reports["lspin"]["parts"],
        **reports["baselines"]["donor_folds"],
        "svc-allen41 (shipped)": reports["svc-allen41"]["donor_folds"]["svc-allen41"],
        "lspin-paper (published settings)": reports["lspin-paper"]["donor_folds"]["lspin-paper"],
        "ephys-map, neighbours": reports["ephys-map"]["donor_folds"]["ephys-map"],
    }
    gates = reports["lspin"]["gates"]
    theirs = reports["lspin-paper"]["open_gates"]
    losses = {name: scores["mean"]["log_loss"] for name, scores in reports["lspin"]["parts"].items()}
    losses["all"] = reports["lspin"]["conditions"]["all stimuli"]["mean"]["log_loss"]
    return f"""
## Five mouse subclasses from 41 features

{figures_table(figures)}

Class by class, `lspin`:

{per_class_table(reports["lspin"]["conditions"]["all stimuli"])}

With stimuli missing, the same networks:

{figures_table(reports["lspin"]["conditions"])}

Gates: the shipped networks rest a verdict on {gates["open_at_all"]:.1f} features on average
({gates["open_by_half"]:.1f} more than half open); with the published settings {theirs:.1f} of 41 stay
open. Gates of two seeds correlate by {gates.get("agreement_of_seeds", float("nan")):.2f}.

How it was reached, and what did not help:

- The settings of the Gaussians are chosen anew within every fold; nearly every fold takes the same ones.
- Logarithms of currents, resistances, times and rates make classes near normal; a plain linear discriminant then
  already beats the support-vector machine on raw features (table).
- Gaussians by driver line, with a spread between that of the class and that of all cells, are the best single
  classifier. As a density they also say what any subset of features implies, which no discriminative model does.
- The shipped networks are taught by those Gaussians on cells drawn between and around real ones, with stimuli hidden.
  The mean of networks and Gaussians is what
  `lspin` says: right as often as the Gaussians, and with the smallest log loss of the three
  ({losses["all"]:.3f}; networks {losses["the networks alone"]:.3f}, Gaussians {losses["the density alone"]:.3f}).
- Noise on the gates is needed to find sparse gates, and harmful afterwards: it dies away over the first half of the
  training.
- Tried while exploring, in single runs that no recipe repeats, and so impressions rather than findings: networks taught
  by the labels as well; averages of the Gaussians with a support-vector machine or with more networks; class-balanced
  priors; seal and test-pulse resistance as inputs. None changed accuracy by more than its error. Forests and boosting
  are far behind on so few cells (table).
"""


def paper_section(reports: Reports) -> str:
    rows = [
        "| | ours: mean ± spread (least to most) over 20 such splits | the paper, one split |",
        "|---|---|---|",
    ]
    stated = {
        "SVC, scikit-learn's defaults": "0.837 (trained on a fifth of the cells)",
        "random forest": "0.824 (trained on a fifth)",
        "XGBoost": "0.850 (trained on a fifth)",
    }
    found = dict(reports["baselines"]["paper_split"]) | {"lspin-paper": reports["lspin-paper"]["paper_split"]}
    stated["lspin-paper"] = "0.916 (settings chosen on the test cells)"
    for name, f in found.items():
        rows.append(
            f"| {name} | {f['mean']:.3f} ± {f['spread']:.3f} ({f['least']:.3f} to {f['most']:.3f}) "
            f"| {stated.get(name, '')} |"
        )
    table = "\n".join(rows)
    return f"""
## The same, split as the paper did

Theirs, for comparison only: cells split at random, 80 to 20, so that donors are on both sides; cells with a gap left
out.

{table}

Why the paper's 0.916 is not met: it is the best of thousands of settings judged on the test cells themselves. With its
settings the mean over splits is the one above. Its baselines were trained on a fifth of the cells; with as many cells
as the network they come level with it. The Gaussians behind `lspin` come to
{found["Gaussians by driver line"]["mean"]:.3f} on average over such splits.
"""


def species_section(reports: Reports) -> str:
    figures = reports["dann"]["donor_folds"]
    human = figures_table({name: found["human"] for name, found in figures.items()})
    mouse = figures_table({name: found["mouse"] for name, found in figures.items()})
    return f"""
## Excitatory or inhibitory, mouse and human, from 41 features

On human cells:

{human}

On mouse cells:

{mouse}

Ophir et al. 2023 state 0.950 on 60 human cells and 0.974 on 285 mouse cells. As published, their code drops every
human cell from the training. Here human cells take part, and the comparison that matters is with the regression on
both species: what the adversary adds is the difference between the first two rows.
"""


SECTIONS: list[tuple[Callable[[Reports], str], tuple[str, ...]]] = [
    (features_section, ("lspin", "lspin-paper", "svc-allen41", "baselines", "ephys-map")),
    (paper_section, ("baselines", "lspin-paper")),
    (species_section, ("dann",)),
    (waveform_section, ("triple-cnn", "waveform-baselines")),
    (waveform_paper_section, ("triple-cnn-paper",)),
    (reconstruction_section, ("svc-morphology", "tree-lstm", "resnet18", "resnet18-tree-lstm")),
    (published_section, ("resnet18-tree-lstm", "reconstruction-paper", "virtual-neurons")),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmark.md")
    parser.add_argument("--finished-only", action="store_true", help="run nothing; name the parts still to be run")
    arguments = parser.parse_args()
    page = HEAD
    for section, recipes in SECTIONS:
        missing = [name for name in recipes if not _place(name, arguments.runs).exists()]
        if missing and arguments.finished_only:
            page += f"\nNot run to the end yet: `{'`, `'.join(missing)}`. `make benchmark-models` adds the tables.\n"
            continue
        reports = {name: _report(name, arguments.data, arguments.runs) for name in recipes}
        page += section(reports)
    arguments.out.write_text(page, encoding="utf-8")
    print(arguments.out)
    return 0


def _place(name: str, runs: Path) -> Path:
    """Where a recipe's report is: recipes on reconstructions share a folder, since one reads what another computed."""
    own = runs / name / "report.json"
    return runs / "reconstructions" / "reports" / f"{name}.json" if name in SHARED and not own.exists() else own


def _report(name: str, data: Path, runs: Path) -> dict[str, Any]:
    path = _place(name, runs)
    if not path.exists():
        import torch

        torch.set_num_threads(1)
        run_recipe(name, Job(data, runs / ("reconstructions" if name in SHARED else name), report=print_progress))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


if __name__ == "__main__":
    sys.exit(main())
