"""Fitting the kernel machine on the bank of random kernels: one linear system.

The machine compares a cell with blends of a few training cells of one class each, not with the cells themselves: as
good (see the benchmark page), smaller, and no row of the shipped weights is any cell's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from napari_celltype.models.calibration import fit_calibration
from napari_celltype.models.kernel import radial_kernel
from napari_celltype.models.networks.kernel_bank import BankShape, KernelExpert, draw_bank

from .blends import blend
from .splits import donor_folds

__all__ = ["ExpertSettings", "fit_expert"]

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class ExpertSettings:
    """Settings of the bank and of the machine.

    Parameters
    ----------
    widths, ridges
        Of the radial kernel (gamma times the number of shares), and how little the training labels are believed:
        where there is more than one, inner folds of the training cells choose.
    balance
        Weight of a class is its rarity to this power.
    noise_mv
        Softness of the thresholds.
    centres, blended
        Blends that cells are compared with, and how many cells of a class make one.
    """

    shape: BankShape = field(default_factory=BankShape)
    widths: tuple[float, ...] = (0.1, 0.2, 0.4)
    ridges: tuple[float, ...] = (0.03, 0.1, 0.3)
    balance: float = 0.25
    noise_mv: float = 0.02
    centres: int = 600
    blended: int = 3


def fit_expert(
    windows: NDArray[np.float32],
    truth: Rows,
    n_classes: int,
    settings: ExpertSettings,
    seed: int,
    donors: Rows | None = None,
) -> KernelExpert:
    """Kernel ridge regression onto weighted classes; rows of class -1 are left out.

    Without ``donors`` every cell counts as its own.
    """
    known = np.flatnonzero(truth >= 0)
    x, codes = torch.from_numpy(windows[known]).float(), truth[known]
    drawn = draw_bank(settings.shape, x, seed, settings.noise_mv)
    shares = drawn.standardised(x).numpy().astype(float)
    centres = blend(shares, codes, settings.centres, seed, blended=settings.blended)
    width, ridge = _chosen(shares, codes, known if donors is None else donors[known], n_classes, settings, seed)
    expert = KernelExpert(replace(settings.shape, supports=len(centres), outputs=n_classes))
    for name in ("kernels", "thresholds", "softness", "centre", "scale"):
        getattr(expert, name).copy_(getattr(drawn, name))
    gamma = width / settings.shape.kernels
    expert.gamma.fill_(gamma)
    expert.supports.copy_(torch.from_numpy(centres))
    dual = _solve(
        radial_kernel(shares, centres, gamma),
        radial_kernel(centres, centres, gamma),
        _targets(codes, n_classes, settings.balance),
        ridge,
    )
    expert.dual.copy_(torch.from_numpy(dual))
    return expert


def _chosen(
    shares: FloatArray, codes: Rows, donors: Rows, n_classes: int, settings: ExpertSettings, seed: int
) -> tuple[float, float]:
    """Width and ridge with which cells of donors held back are likeliest."""
    pairs = list(product(settings.widths, settings.ridges))
    if len(pairs) == 1:
        return pairs[0]
    found = {pair: np.zeros((len(codes), n_classes)) for pair in pairs}
    for fit, check in donor_folds(codes, donors, 5, seed):
        centres = blend(shares[fit], codes[fit], settings.centres, seed, blended=settings.blended)
        targets = _targets(codes[fit], n_classes, settings.balance)
        for width in settings.widths:
            gamma = width / settings.shape.kernels
            among = radial_kernel(centres, centres, gamma)
            seen, asked = (radial_kernel(shares[rows], centres, gamma) for rows in (fit, check))
            for ridge in settings.ridges:
                found[width, ridge][check] = asked @ _solve(seen, among, targets, ridge)

    def loss(pair: tuple[float, float]) -> float:
        calibrated = fit_calibration(found[pair], codes, n_classes)(found[pair])
        return -float(np.log(calibrated[np.arange(len(codes)), codes]).mean())

    return min(pairs, key=loss)


def _targets(codes: Rows, n_classes: int, balance: float) -> FloatArray:
    counts = np.maximum(np.bincount(codes, minlength=n_classes), 1)
    targets: FloatArray = np.eye(n_classes)[codes] / (counts / counts.mean()) ** balance
    return targets


def _solve(seen: FloatArray, among: FloatArray, targets: FloatArray, ridge: float) -> FloatArray:
    """Weights of the centres: least squares on the cells, held small in the norm of the kernel."""
    system = seen.T @ seen + ridge * among + 1e-6 * np.eye(len(among))
    return np.asarray(np.linalg.solve(system, seen.T @ targets), dtype=float)
