"""Running networks: device and its fallback, threads given back, batches that change nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from napari_celltype.errors import ModelError
from napari_celltype.models.catalogue import load_model, model_infos
from napari_celltype.models.networks.dann import Dann, DannShape
from napari_celltype.models.runtime import Runner, available_devices, inference, pick_device

NETWORKS = [info.name for info in model_infos() if info.kind in {"lspin", "dann"}]


def runner(device: str = "cpu") -> Runner:
    shape = DannShape(members=3)
    made = Dann(shape, torch.Generator().manual_seed(0))
    arrays = {f"network.{name}": tensor.numpy().copy() for name, tensor in made.state_dict().items()}
    fresh = Dann(shape, torch.Generator().manual_seed(1))
    return Runner(fresh, fresh.summarise, arrays, device)


def test_an_absent_device_falls_back_to_the_cpu_and_says_so() -> None:
    absent = next((d for d in ("cuda", "mps") if d not in available_devices()), None)
    if absent is None:
        pytest.skip("this machine has every device")
    device, note = pick_device(absent)
    assert device.type == "cpu"
    assert absent in note
    assert pick_device("auto") == (torch.device(available_devices()[0]), "")


def test_a_device_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ModelError, match="no device 'gpu'"):
        pick_device("gpu")


@pytest.mark.parametrize(("items", "inside"), [(1, 1), (1000, 2)])
def test_few_items_run_on_one_thread_and_the_count_is_given_back(items: int, inside: int) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with inference(items):
            assert torch.get_num_threads() == inside
        assert torch.get_num_threads() == 2
        with pytest.raises(ValueError, match="inside"), inference(items):
            raise ValueError("inside")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_batch_size_and_threads_change_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(100, 41))
    run = runner()
    whole = run.run([x])
    before = torch.get_num_threads()
    try:
        for size, threads in ((1, 1), (7, 1), (100, 2), (1000, 2)):
            torch.set_num_threads(threads)
            for one, other in zip(whole, run.run([x], batch_size=size), strict=True):
                assert np.abs(one - other).max() < 1e-5
    finally:
        torch.set_num_threads(before)


def test_no_items_give_no_answers() -> None:
    assert [len(found) for found in runner().run([np.zeros((0, 41))])] == [0, 0, 0]


def test_every_device_here_computes_the_same() -> None:
    x = np.random.default_rng(0).normal(size=(20, 41))
    expected = runner("cpu").run([x])
    for device in available_devices():
        for one, other in zip(expected, runner(device).run([x]), strict=True):
            assert np.abs(one - other).max() < 1e-4


@pytest.mark.skipif(not NETWORKS, reason="no network is bundled")
def test_torch_is_imported_by_the_first_prediction_and_not_before() -> None:
    code = (
        "import sys, numpy as np, napari_celltype as nct;"
        f"m = nct.load_model({NETWORKS[0]!r}) if {bool(NETWORKS)} else None;"
        "assert 'torch' not in sys.modules;"
        "m.predict(np.zeros((1, 41)));"
        "assert 'torch' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", NETWORKS)
def test_an_absent_device_is_noted_by_the_model(name: str) -> None:
    if "cuda" in available_devices():
        pytest.skip("this machine has it")
    model = load_model(name, device="cuda")
    model.predict(np.zeros((1, 41)))
    assert "cuda is not available" in model.device_note
