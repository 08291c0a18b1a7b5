"""Climbing trees from the tips to the roots with child-sum cells, and the way back down for the gradient.

Written out by hand rather than left to autograd: the small products of every level are then kept in a few large
buffers, and the gradient of the recurrent weights is one product at the end instead of one a level.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .forest import Forest, sum_runs

__all__ = ["Climb", "matmul"]


def matmul(a: Tensor, b: Tensor, half: bool) -> Tensor:
    """Product of two matrices, in bfloat16 if ``half``; the result is single precision."""
    return (a.bfloat16() @ b.bfloat16()).float() if half else a @ b


class Climb(torch.autograd.Function):
    """Outputs h of every row from the gates' inputs (rows, 4 hidden) and the recurrent weights (hidden, 4 hidden).

    Gates stand in the order forget, input, output, update. With children k of a row j:
    f_k = sigmoid(x_f(j) + U_f h_k), the others from x(j) + U sum(h_k); c_j = i u + sum(f_k c_k), h_j = o tanh(c_j).
    """

    @staticmethod
    def forward(ctx: Any, gates: Tensor, recurrent: Tensor, forest: Forest, half: bool) -> Tensor:
        """Level by level from the deepest to the roots."""
        n, width = gates.shape[0], recurrent.shape[0]
        h, c, tanh_c, forget = (gates.new_empty(n, width) for _ in range(4))
        below = gates.new_zeros(n, width)
        iou = gates[:, width:].clone()
        u_forget, u_rest = _halves(recurrent, width, half)
        for start, stop, end in _climbing(forest):
            here, kids = slice(start, stop), slice(stop, end)
            i, o, u = torch.split(iou[here], width, dim=1)
            if end > stop:
                f = forget[kids]
                torch.add(matmul(h[kids], u_forget, half), _of_parents(gates[:, :width], forest, kids), out=f)
                f.sigmoid_()
                summed = sum_runs(torch.cat([h[kids], f * c[kids]], dim=1), forest.first_child[here] - stop)
                below[here] = summed[:, :width]
                iou[here] += matmul(below[here], u_rest, half)
                _squash(iou[here], width)
                torch.addcmul(summed[:, width:], i, u, out=c[here])
            else:
                _squash(iou[here], width)
                torch.mul(i, u, out=c[here])
            _tanh(c[here], tanh_c[here])
            torch.mul(o, tanh_c[here], out=h[here])
        ctx.forest, ctx.half = forest, half
        ctx.save_for_backward(recurrent, h, c, tanh_c, below, forget, iou)
        return h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Level by level from the roots to the deepest."""
        recurrent, h, c, tanh_c, below, forget, iou = ctx.saved_tensors
        forest, half, width = ctx.forest, ctx.half, recurrent.shape[0]
        u_forget, u_rest = (weight.t() for weight in _halves(recurrent, width, half))
        dh, dc = grads[0].clone(), h.new_zeros(h.shape)
        d_gates, d_forget = h.new_empty(len(h), 4 * width), h.new_zeros(h.shape)
        for start, stop, end in reversed(_climbing(forest)):
            here, kids = slice(start, stop), slice(stop, end)
            in_, out, update, cell = _slopes(iou[here], tanh_c[here], width)
            dc[here].addcmul_(dh[here], cell)
            d_rest = d_gates[here, width:]
            torch.mul(dc[here], in_, out=d_rest[:, :width])
            torch.mul(dh[here], out, out=d_rest[:, width : 2 * width])
            torch.mul(dc[here], update, out=d_rest[:, 2 * width :])
            if end == stop:
                d_gates[here, :width] = 0.0
                continue
            passed = torch.cat([matmul(d_rest, u_rest, half), dc[here]], dim=1)
            passed = passed.index_select(0, forest.parents[kids] - start)
            f = forget[kids]
            torch.mul(passed[:, width:], f, out=dc[kids])
            torch.mul(dc[kids], c[kids] * (1 - f), out=d_forget[kids])
            dh[kids] += passed[:, :width]
            dh[kids] += matmul(d_forget[kids], u_forget, half)
            d_gates[here, :width] = sum_runs(d_forget[kids], forest.first_child[here] - stop)
        d_recurrent = torch.cat([matmul(h.t(), d_forget, half), matmul(below.t(), d_gates[:, width:], half)], dim=1)
        return d_gates, d_recurrent, None, None


def _halves(recurrent: Tensor, width: int, half: bool) -> tuple[Tensor, Tensor]:
    """Weights of the forget gates and of the others, ready to multiply with."""
    weights = recurrent.bfloat16() if half else recurrent
    return weights[:, :width].contiguous(), weights[:, width:].contiguous()


def _of_parents(values: Tensor, forest: Forest, kids: slice) -> Tensor:
    return values.index_select(0, forest.parents[kids])


def _slopes(iou: Tensor, tanh_c: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What turns gradients of c and h into those of the gates' inputs, and of h into that of c."""
    i, o, u = torch.split(iou, width, dim=1)
    in_ = u * i * (1 - i)
    out = tanh_c * o * (1 - o)
    update = i * (1 - u * u)
    return in_, out, update, o * (1 - tanh_c * tanh_c)


def _climbing(forest: Forest) -> list[tuple[int, int, int]]:
    """First row of each level, of the level below it, and of the one below that; the deepest level first."""
    edges = (*forest.levels, forest.levels[-1])
    return [(edges[d], edges[d + 1], edges[d + 2]) for d in reversed(range(len(edges) - 2))]


def _squash(gates: Tensor, width: int) -> None:
    """Sigmoid of input and output gates, tanh of the update, in place.

    tanh(x) = 2 sigmoid(2 x) - 1: torch's own tanh takes seven times as long on a CPU.
    """
    update = gates[:, 2 * width :]
    update *= 2
    gates.sigmoid_()
    update.mul_(2).sub_(1)


def _tanh(x: Tensor, out: Tensor) -> None:
    torch.mul(x, 2, out=out)
    out.sigmoid_().mul_(2).sub_(1)
