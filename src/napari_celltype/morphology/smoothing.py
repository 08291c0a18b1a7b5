"""Even out what tracing made uneven: depth along the neurites, and diameters."""

from __future__ import annotations

import numpy as np

from napari_celltype.errors import RepairError
from napari_celltype.neuron import Neuron

from .sections import SOMA, edge_lengths_um

__all__ = ["align_diameters", "smooth_z"]


def smooth_z(neuron: Neuron, length_um: float = 10.0) -> Neuron:
    """Smooth z along the neurites over a given length; x, y, soma and roots stay.

    Parameters
    ----------
    neuron
        The reconstruction. Repair its z-jumps first: smoothing would smear them out.
    length_um
        Each node takes a mean over its surroundings, weighted by ``exp(-d / length_um)`` with ``d`` the distance
        along the neurite, across forks too and whatever the spacing of nodes.

    Notes
    -----
    The weighted mean solves ``z' - length^2 z'' = z`` on the tree: one sparse system, whose matrix has the tree's
    own shape and is therefore solved in linear time.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    neuron.require_no_cycle("smoothed")
    if not (np.isfinite(length_um) and length_um >= 0):
        raise RepairError(f"the smoothing length must be zero or above, not {length_um}")
    if not np.isfinite(neuron.xyz_um).all():
        raise RepairError("a coordinate could not be read", path=neuron.path, hint="Delete or move that node first.")
    n = len(neuron)
    rows = np.flatnonzero(neuron.parents >= 0)
    if length_um == 0 or not len(rows):
        return neuron
    above = neuron.parents[rows]
    length = np.maximum(edge_lengths_um(neuron)[rows], 1e-3)
    weight = (np.bincount(rows, length, n) + np.bincount(above, length, n)) / 2
    pull = length_um**2 / length
    fixed = (neuron.parents < 0) | (neuron.types == SOMA)
    at = np.concatenate([np.arange(n), rows, above, rows, above])
    to = np.concatenate([np.arange(n), rows, above, above, rows])
    value = np.concatenate([np.where(fixed, 1.0, weight), pull, pull, -pull, -pull])
    value[n:][fixed[at[n:]]] = 0.0
    z = neuron.xyz_um[:, 2]
    matrix = coo_array((value, (at, to)), shape=(n, n)).tocsc()
    smooth = spsolve(matrix, np.where(fixed, z, weight * z))
    return neuron.replace(xyz_um=np.column_stack([neuron.xyz_um[:, :2], np.where(fixed, z, smooth)]))


def align_diameters(neuron: Neuron, min_um: float = 2.0, max_um: float = 5.0) -> Neuron:
    """Bring diameters into a range, the soma's excepted; missing ones become the least.

    Notes
    -----
    Two to five micrometres is what the data of Zhang et al. (2021) were drawn with.
    """
    if not 0 <= min_um <= max_um:
        raise RepairError(f"the diameters must satisfy 0 <= min <= max, not {min_um} and {max_um}")
    clipped = np.clip(np.nan_to_num(neuron.radii_um, nan=0.0), min_um / 2, max_um / 2)
    return neuron.replace(radii_um=np.where(neuron.types == SOMA, neuron.radii_um, clipped))
