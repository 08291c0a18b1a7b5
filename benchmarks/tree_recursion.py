"""The Tree-LSTM climbing many trees level by level, against plain recursion with the same weights, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor

from napari_celltype.models.networks.forest import plant
from napari_celltype.models.networks.tree_lstm import TreeCell, TreeLstm, TreeShape
from napari_celltype.models.neuron_form import NeuronForm, Pieces, standardise, to_pieces
from napari_celltype.morphology.simulation import simulate

FORM = NeuronForm(piece_um=100.0)
KINDS = ("basket", "pyramidal", "Purkinje", "granule")


def trees(count: int) -> list[Pieces]:
    """Simulated neurons in pieces."""
    return [
        to_pieces(standardise(simulate(KINDS[number % len(KINDS)], number, spacing_um=10.0), FORM), FORM)
        for number in range(count)
    ]


def climb(cell: TreeCell, x: Tensor, children: list[list[int]]) -> Tensor:
    """Outputs of all nodes of a tree by recursion; what nodes take from their own inputs is worked out at once."""
    width = cell.recurrent.shape[0]
    gates = cell.inputs(x)
    u_forget, u_rest = cell.recurrent[:, :width], cell.recurrent[:, width:]
    found: list[Tensor | None] = [None] * len(x)
    nothing = x.new_zeros(width)

    def visit(row: int) -> tuple[Tensor, Tensor]:
        below = [visit(child) for child in children[row]]
        kept, rest = nothing, gates[row, width:]
        if below:
            h = torch.stack([pair[0] for pair in below])
            c = torch.stack([pair[1] for pair in below])
            kept = (torch.sigmoid(gates[row, :width] + h @ u_forget) * c).sum(dim=0)
            rest = rest + h.sum(dim=0) @ u_rest
        i, o, u = rest.split(width)
        memory = torch.sigmoid(i) * torch.tanh(u) + kept
        output = torch.sigmoid(o) * torch.tanh(memory)
        found[row] = output
        return output, memory

    visit(0)
    return torch.stack([one for one in found if one is not None])


def recursive(network: TreeLstm, pieces: list[Pieces]) -> Tensor:
    """Logits of every tree, one after another."""
    logits = []
    for one in pieces:
        children: list[list[int]] = [[] for _ in range(len(one))]
        for row, above in enumerate(one.parents.tolist()):
            if above >= 0:
                children[above].append(row)
        x = (torch.from_numpy(one.features) - network.centre) / network.spread
        for cell in network.cells:
            assert isinstance(cell, TreeCell)
            x = climb(cell, x, children)
        read = torch.cat([x[0], x.mean(dim=0), torch.asinh(x.sum(dim=0))])
        logits.append(network.output(torch.tanh(network.readout(read))))
    return torch.stack(logits)


def batched(network: TreeLstm, pieces: list[Pieces], *, half: bool = False) -> Tensor:
    """Logits of every tree, all climbed together."""
    features = torch.from_numpy(np.concatenate([one.features for one in pieces]))
    logits: Tensor = network(features, plant([one.parents for one in pieces]), half=half)[0]
    return logits


def in_turns(ours: Callable[[], object], theirs: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median seconds of each, taken alternately so that both meet the same machine."""
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(repeats + 1):
        for into, work in zip(taken, (ours, theirs), strict=True):
            start = time.perf_counter()
            work()
            if number:  # the first round warms up
                into.append(time.perf_counter() - start)
    return median(taken[0]), median(taken[1])


def learn(network: TreeLstm, answer: Callable[[], Tensor]) -> None:
    """One step of training."""
    network.zero_grad(set_to_none=True)
    answer().square().sum().backward()


def main(count: int = 24, repeats: int = 3) -> None:
    pieces = trees(count)
    network = TreeLstm(TreeShape(pieces[0].features.shape[1], dropout=0.0), torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        gap = float((batched(network, pieces) - recursive(network, pieces)).abs().max())
        inference = in_turns(lambda: batched(network, pieces), lambda: recursive(network, pieces), repeats)
    training = in_turns(
        lambda: learn(network, lambda: batched(network, pieces, half=True)),
        lambda: learn(network, lambda: recursive(network, pieces)),
        repeats,
    )
    nodes = sum(len(one) for one in pieces)
    print(f"Tree-LSTM, {count} simulated neurons in {nodes:,} pieces; largest difference of a logit {gap:.1e}")
    for what, (ours, theirs) in (("inference", inference), ("training step", training)):
        print(f"{what:14} level by level {ours:.3f} s, recursive {theirs:.3f} s: {theirs / ours:.1f} times as fast")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
