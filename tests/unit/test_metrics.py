"""Figures of merit against scikit-learn and against cases known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from napari_celltype.models.calibration import expected_calibration_error, fit_calibration, softmax
from napari_celltype.training.metrics import confusion, coverage_curve, score, score_seeds


def guesses(seed: int = 0, n: int = 300, k: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    return softmax(rng.normal(size=(n, k)) + 1.5 * np.eye(k)[truth]), truth


def test_headlines_equal_scikit_learns() -> None:
    p, truth = guesses()
    said = p.argmax(axis=1)
    found = score(p, truth)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truth, said))
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(truth, said))
    assert found["macro_f1"] == pytest.approx(reference.f1_score(truth, said, average="macro"))
    assert found["auc"] == pytest.approx(reference.roc_auc_score(truth, p, multi_class="ovr", average="macro"))
    assert found["log_loss"] == pytest.approx(reference.log_loss(truth, p))
    assert (confusion(said, truth, 4) == reference.confusion_matrix(truth, said)).all()


def test_per_class_rates_equal_scikit_learns_and_the_interval_holds_the_mean() -> None:
    p, truth = guesses(1)
    found = score_seeds([p], truth, list("abcd"), donors=np.arange(300) // 2)
    precision, recall, f1, cells = reference.precision_recall_fscore_support(truth, p.argmax(axis=1))
    for i, name in enumerate("abcd"):
        assert found.per_class[name] == pytest.approx(
            {"precision": precision[i], "recall": recall[i], "f1": f1[i], "cells": cells[i]}
        )
    low, high = found.interval["accuracy"]
    assert low < found.mean["accuracy"] < high


def test_the_interval_widens_when_cells_of_a_donor_stand_or_fall_together() -> None:
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(30) < 0.7, 10)
    truth = np.zeros(300, dtype=np.intp)
    p = np.where(right[:, None], [0.9, 0.1], [0.1, 0.9])
    alone = score_seeds([p], truth, ["a", "b"], donors=np.arange(300)).interval["accuracy"]
    together = score_seeds([p], truth, ["a", "b"], donors=np.arange(300) // 10).interval["accuracy"]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_calibration_error_is_zero_for_honest_and_large_for_boastful_confidence() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, size=20000)
    truth = (rng.random(20000) > confidence).astype(np.intp)
    honest = np.stack([confidence, 1 - confidence], axis=1)
    assert expected_calibration_error(honest, truth) < 0.02
    boastful = np.stack([np.full(20000, 0.99), np.full(20000, 0.01)], axis=1)
    assert expected_calibration_error(boastful, truth) == pytest.approx(0.99 - (truth == 0).mean())


@pytest.mark.parametrize("form", ["temperature", "vector", "matrix"])
def test_fitting_a_calibration_undoes_overconfidence(form: str) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4000, 3)) * 2
    truth = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    fitted = fit_calibration(logits * 5, truth, 3, form=form)
    assert expected_calibration_error(softmax(logits * 5), truth) > 0.1
    assert expected_calibration_error(fitted(logits * 5), truth) < 0.03
    assert fitted(logits).sum(axis=1) == pytest.approx(1)


def test_coverage_curve_ends_at_the_overall_accuracy() -> None:
    p, truth = guesses(2)
    curve = coverage_curve(p, truth)
    assert [share for share, _ in curve] == pytest.approx(np.arange(1, 11) / 10)
    assert curve[-1][1] == pytest.approx(score(p, truth)["accuracy"])
    assert curve[0][1] > curve[-1][1]
