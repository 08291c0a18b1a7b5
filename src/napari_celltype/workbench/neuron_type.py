"""Judge a reconstruction step by step: the model's answer first, then everything that says how far to trust it.

As :mod:`.classify` does for recordings, :func:`judge_neuron` yields each part as it is found, knows models by their
contract only, and no toolkit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_celltype.errors import NeuronError
from napari_celltype.neuron import Neuron

from .classify import Found, Progress
from .classify_models import Shelf
from .classify_values import CellCall, ModelChoice, Verdict, verdict_of
from .neuron_why import Difference, Why, differences, told_of

__all__ = ["NeuronCall", "NeuronShelf", "NeuronSubject", "RepairEffect", "judge_neuron", "why_no_type"]

NeuronStep = Progress | Found


@dataclass(frozen=True, eq=False)
class RepairEffect:
    """What is said of a neuron before and after its z-jumps are mended.

    ``done`` tells whether the user has edited the neuron; else ``after`` is what mending all jumps found would give.
    ``n_jumps`` counts those found in the neuron as it was before.
    """

    before: Verdict
    after: Verdict
    n_jumps: int
    done: bool

    @property
    def changes(self) -> bool:
        """Whether the label, or giving one at all, differs."""
        return (self.before.label, self.before.abstained) != (self.after.label, self.after.abstained)


@dataclass(frozen=True, eq=False)
class NeuronCall:
    """All that is said of one reconstruction so far; parts that are still to come are None.

    Parameters
    ----------
    verdict, others
        Of the model chosen, and of the other models offered by default.
    pictures
        (3, px, px) the views along z, y and x, as a model sees them.
    differences
        Measures that differ most from the class's, largest first; None where that is not known.
    repair
        What mending does to the answer; None where there is no jump.
    why
        Which branches decided, once that was asked.
    refusal, remarks
        A sentence where nothing can be said; sentences about what is left out.
    """

    verdict: Verdict | None = None
    others: tuple[Verdict, ...] = ()
    pictures: NDArray[np.uint8] | None = None
    differences: tuple[Difference, ...] | None = None
    repair: RepairEffect | None = None
    repair_asked: bool = False
    why: Why | None = None
    refusal: str = ""
    remarks: tuple[str, ...] = field(default=())

    @property
    def as_cell_call(self) -> CellCall:
        """The answer alone, as the panel that shows recordings' answers takes it."""
        return CellCall(verdict=self.verdict, others=self.others, refusal=self.refusal, remarks=self.remarks)


@dataclass(frozen=True, eq=False)
class NeuronSubject:
    """A neuron as it is now, and as it was when it was opened."""

    neuron: Neuron
    source: Neuron

    @property
    def is_edited(self) -> bool:
        """Whether it differs from what was opened."""
        return self.neuron is not self.source


class NeuronShelf(Shelf):
    """The models that judge reconstructions, the default with most classes first."""

    def infos(self) -> list[Any]:
        """Descriptions of the models at hand."""
        if self._infos is not None:
            found = list(self._infos())
        else:
            from napari_celltype.models.catalogue import model_infos

            found = list(model_infos())
        fitting = [info for info in found if info.input == "neuron" and not info.kind.endswith("map")]
        return sorted(fitting, key=lambda info: (not info.default, -len(info.classes), info.name))


def why_no_type(neuron: Neuron) -> str:
    """A sentence where no model can say anything of this neuron, else empty."""
    if not len(neuron):
        return f"{neuron.name or 'The neuron'} has no nodes."
    if neuron.has_cycle:
        return "The neuron runs in a circle. Cut one link of it first: the Repair dock lists it among the defects."
    return ""


def judge_neuron(choice: ModelChoice, subject: NeuronSubject, shelf: Shelf) -> Iterator[NeuronStep]:
    """Judge a neuron, the answer to the question asked first and the rest after it.

    Raises
    ------
    CelltypeError
        In the user's words, whatever fails.
    """
    refusal = why_no_type(subject.neuron)
    if refusal:
        yield Found({"refusal": refusal})
        return
    yield Progress(0.0, f"Loading {choice.name}")
    model = shelf.get(choice)
    note = getattr(model, "device_note", "")
    yield Progress(0.3, "Looking at the neuron")
    verdict = judge(model, [subject.neuron])[0]
    yield Found({"verdict": verdict, "remarks": (note,) if note else ()})
    yield Found({"pictures": _pictures(model, subject.neuron)})
    yield Progress(0.5, "Measuring")
    yield Found({"differences": differences(model, subject.neuron, verdict.label)})
    yield Progress(0.7, "Comparing with the repaired neuron")
    yield Found({"repair": _repair_effect(model, subject, verdict), "repair_asked": True})
    yield from _ask_others(choice, subject.neuron, shelf)
    yield Progress(1.0, "")


def judge(model: Any, neurons: list[Neuron]) -> list[Verdict]:
    """A model's verdicts on neurons."""
    with told_of(model):
        prediction = model.predict(neurons)
    return [verdict_of(prediction, row, "neuron") for row in range(len(neurons))]


def _pictures(model: Any, neuron: Neuron) -> NDArray[np.uint8] | None:
    from napari_celltype.models.neuron_form import NeuronForm, standardise, to_image

    form = getattr(model, "form", None) or NeuronForm()
    try:
        return to_image(standardise(neuron, form), form)
    except NeuronError:
        return None


def _repair_effect(model: Any, subject: NeuronSubject, verdict: Verdict) -> RepairEffect | None:
    from napari_celltype.morphology.repair import repair_z_jumps
    from napari_celltype.morphology.zjumps import find_z_jumps

    if subject.is_edited:
        if why_no_type(subject.source):
            return None
        jumps = find_z_jumps(subject.source)
        return RepairEffect(judge(model, [subject.source])[0], verdict, len(jumps), done=True)
    jumps = find_z_jumps(subject.neuron)
    if not jumps:
        return None
    mended = repair_z_jumps(subject.neuron, jumps)
    return RepairEffect(verdict, judge(model, [mended])[0], len(jumps), done=False)


def _ask_others(choice: ModelChoice, neuron: Neuron, shelf: Shelf) -> Iterator[NeuronStep]:
    """The other default models, and the one of two classes that goes with the model chosen."""
    others: list[Verdict] = []
    for info in shelf.infos():
        twin = info.name in (f"{choice.name}-2class", choice.name.removesuffix("-2class"))
        if info.name != choice.name and (info.default or twin):
            others += judge(shelf.get(ModelChoice(info.name, device=choice.device)), [neuron])
            yield Found({"others": tuple(others)})
