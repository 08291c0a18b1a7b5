"""The benchmark page's sections on waveform models."""

from __future__ import annotations

from statistics import mean, pstdev
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
    "triple, 5 classes collapsed to 2 by sum": "test 0.983 (either way)",
    "triple, 5 classes collapsed to 2 by the best type": "test 0.983 (either way)",
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
What was learnt, and what did not help. These are runs made while exploring (the kernel machine alone or networks alone,
five types, two draws of folds) that no recipe repeats: impressions, not findings.

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
- Comparing with blends of three like cells in place of single training cells costs the kernel machine no more than
  its error, so the shipped one keeps no cell. Width and ridge hardly matter either; inner folds choose them.
- A scale and an offset a class in the calibration, in place of one temperature, lower the log loss, and more of the
  verdicts "Ndnf" are right; shifting the odds towards rare classes beyond that gains balanced accuracy at the cost
  of accuracy, one for one.
- Classes with few cells stay hard: two in five verdicts "Ndnf" are wrong, and Sst is taken for Pvalb and Ndnf.

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
            scores, spread = found["mean"], found["spread"]
            accuracy = _spread(scores["accuracy"], spread["accuracy"], found["n_seeds"])
            rows.append(
                f"| {name} | {accuracy} | {scores['balanced_accuracy']:.3f} "
                f"| {found['best_validation']:.3f} | {_STATED.get(name, '')} |"
            )
    table = "\n".join(rows)
    seeds = report["configurations"]["triple, 5 classes"]["n_seeds"]
    return f"""
## The papers' experiments with the triple-input CNN

Their settings (Adam 1e-3, L2 1e-5, summed cross-entropy, 100 epochs, the best epoch by validation) on the 3 ms windows
that labelled data exist for, split by donor. Theirs are 50 ms windows of many sweeps a cell, split by cell; they are
another task, and stand here for comparison only. {_over(seeds)}
Each seed draws its own donors. The paper does not say how it collapses five classes to two, so both ways are here; in
"3:7" three tenths of the cells are trained on.

{table}

{_curve(report["200_to_50_khz"])}
"""


def _over(seeds: int) -> str:
    if seeds == 1:
        return "Figures are of one seed so far: differences of two or three points mean nothing."
    return f"Figures are means over {seeds} seeds ± standard deviation."


def _spread(value: float, spread: float, seeds: int) -> str:
    return f"{value:.3f} ± {spread:.3f}" if seeds > 1 else f"{value:.3f}"


def _curve(found: dict[str, dict[str, list[float]]]) -> str:
    sizes = list(found["from scratch"])
    rows = ["| cells recorded at 50 kHz | " + " | ".join(sizes) + " |", "|---|" + "---|" * len(sizes)]
    for name, by_size in found.items():
        cells = [_spread(mean(by_size[size]), pstdev(by_size[size]), len(by_size[size])) for size in sizes]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    intro = (
        "Learnt at 200 kHz and gone on with at 50 kHz, beside networks that saw the 50 kHz cells only (accuracy on\n"
        "donors of neither). The paper keeps the input size constant, which can be read as windows of one duration,\n"
        "brought to one rate, or of the same number of samples, so that at 200 kHz a spike is drawn out to four times\n"
        "its length:"
    )
    return intro + "\n\n" + "\n".join(rows)
