"""The benchmark page's sections on waveform models."""

from __future__ import annotations

from typing import Any

from napari_celltype.training.cards import figures_table, per_class_table
from napari_celltype.training.waveform_packing import confusion_table

Reports = dict[str, dict[str, Any]]

_STATED = {
    "single (time), 5 classes": "0.885",
    "single (time), 2 classes": "0.964",
    "dual (time, real), 5 classes": "0.914",
    "dual (time, real), 2 classes": "0.994",
    "dual (time, imaginary), 5 classes": "0.891",
    "dual (time, imaginary), 2 classes": "0.966",
    "triple, 5 classes": "0.921; test 0.901",
    "triple, 2 classes": "0.981; test 0.983",
    "triple, 5 classes collapsed to 2 by sum": "test 0.983",
    "triple, 3 classes": "test 0.969",
    "Ghaderi, 3 classes": "0.927 in vivo (other data)",
    "Ghaderi, 5 classes": "0.841 (Htr3a in place of Ndnf)",
    "3:7, transferred": "0.869",
    "5:5, transferred": "0.875",
    "8:2, transferred": "0.892",
}
"""Accuracies Wang et al. print; validation accuracies are the best of 100 epochs."""


def waveform_section(reports: Reports) -> str:
    """The shipped models, their parts, and the baselines."""
    tasks, baselines = reports["triple-cnn"]["tasks"], reports["waveform-baselines"]["donor_folds"]
    parts = []
    for name, title in (
        ("triple-cnn-5class", "Five types (Exc, Ndnf, Pvalb, Sst, Vip) from one action potential"),
        ("triple-cnn-2class", "Excitatory or inhibitory from one action potential"),
    ):
        own = tasks[name][name]
        classes = tuple(own["per_class"])
        parts.append(
            f"\n## {title}\n\n{figures_table(tasks[name] | baselines[name])}\n\nClass by class, `{name}`:\n\n"
            f"{per_class_table(own)}\n\n{confusion_table(own, classes)}\n"
        )
    return "".join(parts) + _LEARNT


_LEARNT = """
What was learnt, and what did not help (the kernel machine alone or networks alone, five types, two draws of folds):

- **The sampling rate is a short cut.** All Ndnf and nearly all Vip cells were recorded at 50 kHz. Without a common
  low-pass, or with features that measure noise, a classifier gains up to 1.5 points by knowing the rate: among
  excitatory cells alone, hard thresholds on the filtered slopes tell the rate with an AUC of 0.97. Soft thresholds, as
  wide as the noise of a good recording, bring that to 0.83 (the filtered trace itself: 0.82); adding noise to the
  200 kHz cells until both rates are alike then changes the accuracy by less than 0.002. Read the figures within each
  rate beside those over both.
- For how long the trace bends in a certain way (the share of the window in which a random kernel over its first or
  second difference exceeds a threshold) says more about the type than the trace itself does: 0.88 against 0.85 for the
  same kernel machine on trace and slope. Largest answers instead of shares: 0.86. A linear machine on the shares: 0.85.
- Neither spectrum changed the networks' accuracy by more than its error (0.861 with, 0.860 without), nor did taking the
  baseline off (0.861), nine networks instead of three (0.859), or averaging with an SVC (0.857, and fewer rare cells).
- Htr3a, Gad2 and human cells as further classes of the kernel machine cost it a point on the five types; in the
  networks they teach the second question only.
- Soft labels from a classifier that also saw the 41 features did not help (0.831 without, 0.825 and less with).
- Landmarks (threshold, fastest slopes), the phase plane, and a filter at 5 kHz in place of 10 kHz: no better, or worse.
- A bank whose kernels go on learning inside the network was no better in the two folds tried, and was not pursued.
- Classes with few cells stay hard: half of the verdicts "Ndnf" are wrong, and Sst is taken for Pvalb and Ndnf.

The papers' 0.901 and 0.983 are not reached on donors not trained on. Theirs rest on 50 ms windows of many sweeps a
cell, and on rates that were not made alike.
"""


def waveform_paper_section(reports: Reports) -> str:
    """The papers' experiments, theirs beside ours."""
    report = reports["triple-cnn-paper"]
    rows = [
        "| experiment | accuracy | balanced | validation at the best epoch | Wang et al. |",
        "|---|---|---|---|---|",
    ]
    for group in ("configurations", "two_to_five", "three_classes"):
        for name, found in report[group].items():
            mean, spread = found["mean"], found["spread"]
            rows.append(
                f"| {name} | {mean['accuracy']:.3f} ± {spread['accuracy']:.3f} | {mean['balanced_accuracy']:.3f} "
                f"| {found['best_validation']:.3f} | {_STATED.get(name, '')} |"
            )
    table = "\n".join(rows)
    return f"""
## The papers' experiments with the triple-input CNN

Their settings (Adam 1e-3, L2 1e-5, summed cross-entropy, 100 epochs, the best epoch by validation) on the 3 ms windows
that labelled data exist for, split by donor. Theirs are 50 ms windows of many sweeps a cell, split by cell; they are
another task, and stand here for comparison only.

{table}

{_curve(report["200_to_50_khz"])}
"""


def _curve(found: dict[str, dict[str, list[float]]]) -> str:
    sizes = list(found["transferred"])
    rows = ["| cells recorded at 50 kHz | " + " | ".join(sizes) + " |", "|---|" + "---|" * len(sizes)]
    for name in ("transferred", "from scratch"):
        means = [sum(found[name][size]) / len(found[name][size]) for size in sizes]
        rows.append(f"| {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
    intro = "Learnt at 200 kHz and gone on with at 50 kHz, beside networks that saw the 50 kHz cells only (accuracy):"
    return intro + "\n\n" + "\n".join(rows)
