"""The network: its streams are what the papers say, ensembles are their members, runs repeat."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_celltype.models.networks.kernel_bank import BankShape, draw_bank
from napari_celltype.models.networks.triple_cnn import STREAMS, CnnShape, TripleCnn
from napari_celltype.training.blends import blend
from napari_celltype.training.waveform_expert import ExpertSettings, fit_expert
from napari_celltype.training.waveform_fit import Variation, vary

SMALL = {"widths": (4, 4, 4, 4, 4, 4), "hidden": 6}


def network(seed: int = 0, **settings: object) -> TripleCnn:
    shape = CnnShape(**{**SMALL, **settings})  # type: ignore[arg-type]
    made = TripleCnn(shape, torch.Generator().manual_seed(seed))
    made.fit_scales(windows(20))
    return made.eval()


def windows(n: int, samples: int = 150) -> torch.Tensor:
    t = torch.linspace(-1, 2, samples)
    width = torch.linspace(0.15, 0.6, n)[:, None]
    return -60 + 90 * torch.exp(-((t / width) ** 2))


@pytest.mark.parametrize("streams", [("time",), ("time", "real"), ("time", "imaginary"), STREAMS])
def test_every_configuration_has_six_convolutions_an_encoder_each_with_relu_then_normalisation(
    streams: tuple[str, ...],
) -> None:
    made = network(streams=streams)
    assert set(made.encoders) == set(streams)
    for encoder in made.encoders.values():
        kinds = [type(layer).__name__ for layer in encoder]
        assert kinds == ["Conv1d", "ReLU", "BatchNorm1d"] * 6
    logits, hidden = made(windows(3))
    assert logits.shape == (1, 3, 5)
    assert hidden.shape == (1, 3, 6)


@pytest.mark.parametrize("spectrum", ["half", "full"])
def test_the_spectral_streams_are_the_discrete_fourier_transform(spectrum: str) -> None:
    made = network(spectrum=spectrum)
    x = windows(2)
    expected = (np.fft.fft if spectrum == "full" else np.fft.rfft)(x.numpy(), norm="ortho")
    spread = made.coefficient_spread.numpy()
    for which, part in enumerate((expected.real, expected.imag)):
        found = made._input(("real", "imaginary")[which], x[None])[:, 0].numpy() * spread[which]
        np.testing.assert_allclose(found, part, atol=2e-3)


def test_an_ensemble_is_the_mean_of_its_members_run_one_by_one() -> None:
    pair = network(members=2, slopes=2)
    x = windows(4)
    together, _ = pair.summarise(x)
    single = []
    for member in range(2):
        one = network(members=1, slopes=2)
        state = {
            name: _member(tensor, member) if name.startswith(("encoders", "dense", "output")) else tensor
            for name, tensor in pair.state_dict().items()
        }
        one.load_state_dict(state)
        single.append(one.summarise(x)[0].exp())
    torch.testing.assert_close(together.exp(), (single[0] + single[1]) / 2)


def _member(tensor: torch.Tensor, member: int) -> torch.Tensor:
    return tensor if tensor.dim() == 0 else tensor.chunk(2, dim=0)[member]


def test_a_window_gets_the_same_answer_alone_and_in_a_batch() -> None:
    made = network(slopes=2, members=3)
    x = windows(9)
    alone = torch.cat([made.summarise(row[None])[0] for row in x])
    torch.testing.assert_close(made.summarise(x)[0], alone, atol=1e-5, rtol=0)


def test_the_50_ms_window_goes_through_the_same_code_at_both_rates() -> None:
    for samples, strides in ((2500, (4, 2, 2, 2, 2, 2)), (10_000, (4, 4, 4, 2, 2, 2))):
        made = network(streams=("time",), slopes=0)  # scales are learnt again below
        made = TripleCnn(CnnShape(samples=samples, strides=strides, **SMALL), torch.Generator())  # type: ignore[arg-type]
        made.fit_scales(windows(5, samples))
        logits, _ = made.eval()(windows(2, samples))
        assert logits.shape == (1, 2, 5)
        assert made.shape.length_of("time") <= 20


def test_a_shape_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="streams are some of"):
        CnnShape(streams=("phase",))
    with pytest.raises(ValueError, match="different lengths"):
        CnnShape(widths=(4, 4))
    assert CnnShape.from_settings({**CnnShape().to_settings(), "widths": [4] * 6}).widths == (4,) * 6


def test_variation_moves_windows_by_no_more_than_it_says_and_repeats_with_its_generator() -> None:
    x = windows(50)[None]
    none = Variation(0.0, 0.0, 0.0, 0.0, 0.0)
    torch.testing.assert_close(vary(x, none, torch.Generator()), x, atol=1e-3, rtol=0)
    drawn = [vary(x, Variation(), torch.Generator().manual_seed(3)) for _ in range(2)]
    torch.testing.assert_close(drawn[0], drawn[1], atol=0, rtol=0)
    shifted = vary(x, Variation(2.0, 0.0, 0.0, 0.0, 0.0), torch.Generator().manual_seed(1))
    assert (shifted.argmax(dim=-1) - x.argmax(dim=-1)).abs().max() <= 2
    assert not torch.equal(shifted, x)


def test_a_kernel_answers_for_the_share_of_the_window_above_its_threshold() -> None:
    shape = BankShape(reaches=(1, 3), each=4)
    x = windows(12)
    bank = draw_bank(shape, x, seed=1, noise_mv=1e-4)
    slope = np.diff(x.numpy(), axis=1)
    kernel, reach = bank.kernels[5].numpy(), 3  # kernels 4 to 7 look at the slope with a reach of 3
    answers = sum(kernel[k] * slope[:, k * reach : slope.shape[1] - (8 - k) * reach] for k in range(9))
    expected = (answers > float(bank.thresholds[5])).mean(axis=1)
    np.testing.assert_allclose(bank.shares(x)[:, 5].numpy(), expected, atol=0.02)


def test_soft_thresholds_do_not_see_noise_as_small_as_they_are_soft() -> None:
    x = windows(60)
    noisy = x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    drift = {}
    for softness in (1e-4, 0.02):
        bank = draw_bank(BankShape(each=10), x, seed=0, noise_mv=softness)
        drift[softness] = float((bank.shares(noisy) - bank.shares(x)).abs().mean())
    assert drift[0.02] < 0.6 * drift[1e-4]


def test_the_kernel_machine_learns_widths_and_leaves_unlabelled_rows_out() -> None:
    x = windows(90).numpy()
    truth = np.repeat([0, 1, 2], 30)
    truth[::5] = -1
    expert = fit_expert(x, truth, 3, ExpertSettings(shape=BankShape(each=5), centres=40), seed=0)
    said = expert(torch.from_numpy(x)).argmax(dim=1).numpy()
    assert (said == np.repeat([0, 1, 2], 30)).mean() > 0.95


def test_what_the_kernel_machine_keeps_is_no_cells() -> None:
    rng = np.random.default_rng(0)
    shares, codes = rng.normal(size=(60, 8)), np.repeat([0, 1, 2], 20)
    centres = blend(shares, codes, 30, seed=0)
    assert centres.shape == (30, 8)
    gaps = np.linalg.norm(centres[:, None] - shares, axis=-1)
    assert gaps.min() > 0.1
    # each is the mean of three of one class, so it lies within the hull of that class
    low, high = shares.min(axis=0), shares.max(axis=0)
    assert ((centres >= low) & (centres <= high)).all()
