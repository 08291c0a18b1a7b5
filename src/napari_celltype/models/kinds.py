"""The kinds of model we can run: which class runs which ``kind`` named in ``model.toml``.

A class takes ``(bundle, device)`` and has ``predict(x) -> Prediction``; its module is imported when the first
model of its kind is loaded. To add a kind, write the class and add its line.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from napari_celltype.errors import ModelError

if TYPE_CHECKING:
    from .base import Model
    from .bundle import Bundle

__all__ = ["KINDS", "build_model"]

KINDS: dict[str, str] = {
    "lspin": ".lspin:LspinModel",
    "svc": ".kernel:SvcModel",
    "linear": ".linear:LinearModel",
    "dann": ".dann:DannModel",
    "map": ".map:MapModel",
    "waveform-map": ".waveform_map:WaveformMapModel",
    "neuron-svc": ".neuron_table:NeuronSvcModel",
    "tree-lstm": ".tree_model:TreeLstmModel",
    "neuron-map": ".neuron_map:NeuronMapModel",
    "resnet": ".image_model:ImageModel",
    "resnet-tree": ".combined_model:CombinedModel",
    "triple-cnn": ".waveform_model:TripleCnnModel",
    "joint": ".joint:JointModel",
}


def build_model(bundle: Bundle, device: str = "auto") -> Model:
    """The model a bundle describes, ready to predict."""
    try:
        module, name = KINDS[bundle.info.kind].split(":")
    except KeyError:
        raise ModelError(
            f"is of kind {bundle.info.kind!r}, which this version cannot run",
            path=bundle.info.folder,
            hint="A newer napari-celltype may.",
        ) from None
    cls = getattr(import_module(module, __package__), name)
    try:
        model: Model = cls(bundle, device)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelError(
            f"its description and its tensors do not fit together ({type(error).__name__}: {error})",
            path=bundle.info.folder,
        ) from error
    return model
