"""How long a reconstruction takes to classify: each bundled model alone, one neuron at a time and a hundred at once.

``python benchmarks/reconstruction_speed.py [--data DIR] [--count N]`` reads real reconstructions if there are any, else
simulates; files are read before the clock starts. Targets on two cores: 150 ms each, 8 s for a hundred.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median

import numpy as np

from napari_celltype.models.catalogue import load_model, model_infos
from napari_celltype.models.neuron_model import NeuronModel
from napari_celltype.morphology import simulate
from napari_celltype.neuron import Neuron
from napari_celltype.training.neurons import read_neurons

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--cache", type=Path, default=ROOT / "runs" / "reconstructions" / "cache")
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    neurons = some_neurons(arguments.data, arguments.cache, arguments.count)
    nodes = [len(neuron) for neuron in neurons]
    print(f"{len(neurons)} neurons, {median(nodes):.0f} nodes in the middle, {max(nodes)} at most")
    for info in model_infos():
        if info.input == "neuron":
            model = load_model(info.name, info.version, device="cpu")
            if isinstance(model, NeuronModel):
                measure(model, neurons)


def some_neurons(data: Path, cache: Path, count: int) -> list[Neuron]:
    """Real neurons spread over the whole set, or simulated ones."""
    if (data / "morphology").is_dir():
        found = read_neurons(data, cache)
        return [found.neuron(int(row)) for row in np.linspace(0, len(found) - 1, count)]
    return [simulate(("basket", "pyramidal")[number % 2], number) for number in range(count)]


def measure(model: NeuronModel, neurons: list[Neuron]) -> None:
    """Time one after another and all at once; the first neuron, which loads the networks, is not counted."""
    model.predict(neurons[0])
    each = []
    for neuron in neurons:
        started = time.perf_counter()
        model.predict(neuron)
        each.append(1000 * (time.perf_counter() - started))
    started, busy = time.perf_counter(), time.process_time()
    model.predict(neurons)
    together, busy = time.perf_counter() - started, time.process_time() - busy
    print(
        f"{model.name}: {median(each):.0f} ms a neuron ({np.quantile(each, 0.95):.0f} ms at the 95th percentile); "
        f"{len(neurons)} at once {together:.1f} s, of it {busy:.1f} s of processor time"
    )


if __name__ == "__main__":
    main()
