"""The tree networks against plain recursion, one node after another, and what they must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_celltype.models.networks.forest import plant
from napari_celltype.models.networks.tree_lstm import PaperShape, PaperTreeRnn, TreeCell, TreeLstm, TreeShape

IntArray = NDArray[np.int64]


def random_trees(seed: int, sizes: list[int]) -> tuple[Tensor, list[IntArray]]:
    """Trees with many forks and some chains; features laid end to end."""
    rng = np.random.default_rng(seed)
    trees = []
    for size in sizes:
        above = [max(0, row - 1 - int(rng.exponential(3))) if row else -1 for row in range(size)]
        trees.append(np.array(above, dtype=np.int64))
    return torch.from_numpy(rng.normal(size=(sum(sizes), 7))), trees


def small_network(seed: int = 0, **changes: object) -> TreeLstm:
    shape = TreeShape(7, hidden=6, embedding=5, heads=(4, 2), dropout=0.0, **changes)  # type: ignore[arg-type]
    return TreeLstm(shape, torch.Generator().manual_seed(seed)).double()


def recursive_cell(cell: TreeCell, x: Tensor, parents: IntArray) -> Tensor:
    """h of every node of one tree, straight from the equations."""
    width = cell.recurrent.shape[0]
    u_f, u_i, u_o, u_u = cell.recurrent.split(width, dim=1)
    children: list[list[int]] = [[] for _ in parents]
    for row, above in enumerate(parents):
        if above >= 0:
            children[above].append(row)
    h: dict[int, Tensor] = {}

    def climb(row: int) -> Tensor:
        memory = [climb(child) for child in children[row]]
        x_f, x_i, x_o, x_u = cell.inputs(x[row]).split(width)
        total = sum((h[child] for child in children[row]), torch.zeros(width, dtype=x.dtype))
        c = torch.sigmoid(x_i + total @ u_i) * torch.tanh(x_u + total @ u_u)
        for child, kept in zip(children[row], memory, strict=True):
            c = c + torch.sigmoid(x_f + h[child] @ u_f) * kept
        h[row] = torch.sigmoid(x_o + total @ u_o) * torch.tanh(c)
        return c

    climb(int(np.flatnonzero(parents < 0)[0]))
    return torch.stack([h[row] for row in range(len(parents))])


def recursive_network(network: TreeLstm, features: Tensor, trees: list[IntArray]) -> tuple[Tensor, Tensor]:
    logits, places, start = [], [], 0
    for parents in trees:
        x = (features[start : start + len(parents)] - network.centre) / network.spread
        start += len(parents)
        for cell in network.cells:
            assert isinstance(cell, TreeCell)
            x = recursive_cell(cell, x, parents)
        root = x[int(np.flatnonzero(parents < 0)[0])]
        read = torch.cat([root, x.mean(dim=0), torch.asinh(x.sum(dim=0))]) if network.shape.pooled else root
        embedding = torch.tanh(network.readout(read))
        logits.append(network.output(embedding))
        places.append(embedding)
    return torch.stack(logits), torch.stack(places)


@pytest.mark.parametrize("pooled", [True, False])
def test_all_trees_at_once_say_what_recursion_says_of_each(pooled: bool) -> None:
    features, trees = random_trees(1, [1, 2, 40, 17, 90])
    network = small_network(pooled=pooled)
    network.fit_scales(features)
    logits, embedding = network(features, plant(trees))
    expected = recursive_network(network, features, trees)
    torch.testing.assert_close(logits, expected[0], atol=1e-10, rtol=0)
    torch.testing.assert_close(embedding, expected[1], atol=1e-10, rtol=0)


def test_single_precision_stays_within_a_hundred_thousandth_of_recursion() -> None:
    features, trees = random_trees(2, [300, 5, 120])
    network = TreeLstm(TreeShape(7), torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        logits, embedding = network(features.float(), plant(trees))
        expected = recursive_network(network, features.float(), trees)
    assert float((logits - expected[0]).abs().max()) < 1e-5
    assert float((embedding - expected[1]).abs().max()) < 1e-5


def test_gradients_are_those_of_recursion() -> None:
    features, trees = random_trees(3, [30, 1, 12])
    network = small_network()
    found, expected = [], []
    for into, answer in ((found, network(features.requires_grad_(), plant(trees))), (expected, None)):
        logits, _ = answer if answer is not None else recursive_network(network, features, trees)
        wanted = [features, *network.parameters()]
        into.extend(torch.autograd.grad((logits * torch.arange(6)).sum(), wanted))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-8)


def test_numbering_of_nodes_and_order_of_children_do_not_matter() -> None:
    features, trees = random_trees(4, [80])
    network = small_network()
    order = np.random.default_rng(0).permutation(80)
    place = np.argsort(order)
    above = trees[0][order]
    renumbered = np.where(above >= 0, place[above], -1)
    before, _ = network(features, plant(trees))
    after, _ = network(features[order], plant([renumbered]))
    torch.testing.assert_close(before, after, atol=1e-12, rtol=0)


def test_a_tree_is_judged_alike_alone_and_among_others() -> None:
    features, trees = random_trees(5, [25, 60, 9])
    network = small_network()
    together, _ = network(features, plant(trees))
    alone, _ = network(features[25:85], plant(trees[1:2]))
    torch.testing.assert_close(together[1:2], alone, atol=1e-12, rtol=0)


def test_every_branch_is_heard_at_the_root() -> None:
    features, trees = random_trees(6, [50])
    network = small_network(pooled=False)
    gradient = torch.autograd.grad(network(features.requires_grad_(), plant(trees))[0].sum(), features)[0]
    assert bool((gradient.abs().sum(dim=1) > 0).all())


def test_a_chain_of_five_thousand_pieces_is_climbed() -> None:
    n = 5_000
    network = TreeLstm(TreeShape(3, hidden=4, embedding=4), torch.Generator().manual_seed(0)).eval()
    with torch.inference_mode():
        logits, _ = network(torch.zeros(n, 3), plant([np.arange(-1, n - 1)]))
    assert bool(torch.isfinite(logits).all())


@pytest.mark.parametrize(
    ("trees", "said"),
    [
        ([[]], "without nodes"),
        ([], "without nodes"),
        ([[-1, -1]], "exactly one root"),
        ([[-1, 2, 1]], "cycle"),
    ],
)
def test_what_is_no_tree_is_refused(trees: list[list[int]], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plant([np.array(parents, dtype=np.int64) for parents in trees])


def test_half_precision_training_points_the_same_way() -> None:
    features, trees = random_trees(7, [60, 60])
    network = TreeLstm(TreeShape(7), torch.Generator().manual_seed(0)).eval()
    slopes = []
    for half in (False, True):
        logits, _ = network(features.float(), plant(trees), half=half)
        parts = torch.autograd.grad(logits[:, 0].sum(), list(network.parameters()))
        slopes.append(torch.cat([part.flatten() for part in parts]))
    assert float(torch.cosine_similarity(*slopes, dim=0)) > 0.999


def recursive_paper(network: PaperTreeRnn, x: Tensor, parents: IntArray) -> Tensor:
    """Logits of one tree: children's h and c summed, c into the second layer, c of the root read out."""
    width = network.shape.hidden
    for inputs, recurrent in zip(network.inputs, network.recurrent, strict=True):
        h, c = [None] * len(parents), [None] * len(parents)

        def climb(row: int, x: Tensor = x, h: list = h, c: list = c, inputs=inputs, recurrent=recurrent) -> None:  # type: ignore[no-untyped-def,type-arg]
            h_sum, c_sum = torch.zeros(width, dtype=x.dtype), torch.zeros(width, dtype=x.dtype)
            for child in np.flatnonzero(parents == row):
                climb(int(child))
                h_sum, c_sum = h_sum + h[child], c_sum + c[child]
            f, i, o, u = (inputs(x[row]) + recurrent(h_sum)).split(width)
            c[row] = torch.sigmoid(f) * c_sum + torch.sigmoid(i) * torch.tanh(u)
            h[row] = torch.sigmoid(o) * torch.tanh(c[row])

        climb(int(np.flatnonzero(parents < 0)[0]))
        x = torch.stack(c)  # type: ignore[arg-type]
    return network.output(x[int(np.flatnonzero(parents < 0)[0])])  # type: ignore[no-any-return]


def test_the_published_network_is_its_recursion() -> None:
    features, trees = random_trees(8, [30, 1, 22])
    network = PaperTreeRnn(PaperShape(7, 5, 3), torch.Generator().manual_seed(0)).double()
    logits, _ = network(features, plant(trees))
    expected = [
        recursive_paper(network, part, parents)
        for part, parents in zip(features.split([len(p) for p in trees]), trees, strict=True)
    ]
    torch.testing.assert_close(logits, torch.stack(expected), atol=1e-12, rtol=0)
