"""Sentences the cards of several models share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_celltype.models.doubts import FeatureDoubts

from .cards import CardFacts
from .tables import Cells

__all__ = ["ABSTAINS", "BOTH_DATA", "BOTH_SPLIT", "MOUSE_DATA", "MOUSE_SPLIT", "NEEDS", "abstaining", "mouse_facts"]

MOUSE_DATA = (
    "{cells} mouse visual cortex cells of {donors} donors from the Allen Cell Types Database, with the 41 "
    "features and the five subclasses (by driver line) of Ophir et al. 2023. The labels are driver lines, not "
    "transcriptomes: a line marks some cells of other subclasses too, which bounds what any classifier can reach."
    " Allen Institute terms of use: research, with citation, no commercial redistribution. No cell of the tables "
    "is in the package."
)

MOUSE_SPLIT = (
    "Figures are from ten-fold cross-validation by donor, stratified by class, once for every seed: no cell is "
    "judged by a model that saw another cell of its donor. Calibration is fitted on other donors too. The weights"
    " shipped were then trained on all cells with the same settings; no figure here is measured on them."
)

NEEDS = (
    "The 41 features of the Allen Cell Types table, in its units (mV, pA, V/s, s, MΩ, GΩ; `width` and `latency` "
    "in seconds, `tau` in ms), from whole-cell current-clamp recordings of acute slices near 34 °C, sampled at 50"
    " kHz or more and filtered as the Allen Institute did. Other temperatures, solutions and junction-potential "
    "corrections shift the features; check the range of your data first."
)

ABSTAINS = (
    "When the best class has a probability below {confidence:.2f}; when fewer than {features} features are known;"
    " when a feature lies outside the training range by more than a quarter of it; when the features together are"
    " farther than {far:.1f} standard deviations from every class (one training cell in 200 is); when the data "
    "state a species it was not trained on. Reasons are given in words. Where the data state no species, it "
    "cannot know."
)

BOTH_DATA = (
    "{mouse} mouse visual cortex cells of {mouse_donors} donors and {human} human cortex cells of {human_donors} "
    "donors (tissue removed in surgery) from the Allen Cell Types Database, with the 41 features of Ophir et al. "
    "2023. Excitatory means spiny dendrites, inhibitory aspiny ones, as seen in the fill: a sign of the "
    "transmitter, not a measurement of it. Allen Institute terms of use: research, with citation, no commercial "
    "redistribution. No cell of the tables is in the package."
)

BOTH_SPLIT = (
    "Figures are from ten-fold cross-validation by donor, stratified by class and species, once for every seed: "
    "no cell is judged by a model that saw another cell of its donor, and every model saw human cells of other "
    "donors. Calibration is fitted on other donors too. The weights shipped were then trained on all cells with "
    "the same settings; no figure here is measured on them. The settings were chosen by such folds on the same "
    "cells, so expect slightly less on new donors. Human donors are few, so the intervals are wide."
)


def abstaining(doubts: FeatureDoubts) -> str:
    """When a model with these limits abstains."""
    return ABSTAINS.format(confidence=doubts.min_confidence, features=doubts.min_features, far=doubts.farthest)


def mouse_facts(
    cells: Cells,
    doubts: FeatureDoubts,
    recipe: str,
    figures: Mapping[str, Mapping[str, Any]],
    *,
    data: str = "",
    split: str = "",
    needs: str = "",
    failures: Sequence[str] = (),
    extra: Mapping[str, str] | None = None,
) -> CardFacts:
    """What the cards of models of the five mouse subclasses say; texts are added to the common ones."""
    donors = len(set(cells.donors.tolist()))
    return CardFacts(
        data=MOUSE_DATA.format(cells=len(cells), donors=donors) + data,
        split=MOUSE_SPLIT + split,
        needs=NEEDS + needs,
        abstains=abstaining(doubts),
        figures=figures,
        command=f"napari-celltype train {recipe} --data DIR --out OUT",
        failures=failures,
        extra=extra or {},
    )
