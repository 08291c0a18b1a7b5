"""Colours: visible on both canvases and told apart, also with red-green colour blindness."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_celltype._napari.plots.palette import (
    CLASS_COLOURS,
    DEFECT_COLOURS,
    FORM_COLOURS,
    NODE_TYPE_COLOURS,
    OTHER_CLASS_COLOUR,
    OTHER_NODE_TYPE_COLOUR,
    class_colour,
    rgba,
    sweep_colours,
    type_rgba,
)


def linear(colour: str) -> np.ndarray:
    channels = np.array(rgba(colour)[:3])
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(colour: str, ground: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    light, dark = sorted((float(linear(c) @ weights) for c in (colour, ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


# deuteranope simulation in linear RGB, Vienot, Brettel & Mollon 1999
DEUTERANOPE = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


def lab(linear_rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ linear_rgb / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(a: str, b: str, *, deuteranope: bool) -> float:
    view = DEUTERANOPE if deuteranope else np.eye(3)
    return float(np.linalg.norm(lab(view @ linear(a)) - lab(view @ linear(b))))


@pytest.mark.parametrize(
    "colour",
    [
        *NODE_TYPE_COLOURS.values(),
        OTHER_NODE_TYPE_COLOUR,
        *DEFECT_COLOURS.values(),
        *CLASS_COLOURS.values(),
        *FORM_COLOURS.values(),
    ],
)
def test_layer_colours_stand_out_from_the_black_and_the_white_canvas(colour):
    assert contrast(colour, "#000000") > 2.2
    assert contrast(colour, "#ffffff") > 2.2


@pytest.mark.parametrize("n", [1, 2, 8, 9, 40])
@pytest.mark.parametrize(("dark", "ground"), [(True, "#262930"), (False, "#efebe9")])
def test_sweep_colours_are_readable_on_the_dock(n, dark, ground):
    colours = sweep_colours(n, dark=dark)
    assert len(set(colours)) == n
    assert min(contrast(colour, ground) for colour in colours) > 2.3


@pytest.mark.parametrize("deuteranope", [False, True])
@pytest.mark.parametrize(
    "colours",
    [
        list(NODE_TYPE_COLOURS.values()),
        sorted(set(CLASS_COLOURS.values())),
        sorted({*FORM_COLOURS.values(), OTHER_CLASS_COLOUR}),
        sweep_colours(4, dark=True),
        sweep_colours(4, dark=False),
    ],
)
def test_colours_used_together_are_told_apart(colours, deuteranope):
    for a, b in itertools.combinations(colours, 2):
        assert difference(a, b, deuteranope=deuteranope) > 12, (a, b)


def test_unknown_node_types_are_grey():
    np.testing.assert_allclose(type_rgba([274])[0], rgba(OTHER_NODE_TYPE_COLOUR))


def test_a_class_has_its_colour_however_it_is_spelt():
    assert class_colour("Pvalb+") == class_colour("pvalb") == CLASS_COLOURS["pvalb"]
    assert class_colour("Glutamatergic") == class_colour("Exc")
    assert class_colour("something else") == OTHER_CLASS_COLOUR
