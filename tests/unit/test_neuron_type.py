"""What is said of a neuron, step by step and in words; models are stubs whose answers are known."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from celltype_stubs import StubInfo
from napari_celltype.errors import CelltypeError, ModelError
from napari_celltype.neuron import Neuron
from napari_celltype.recording import Recording
from napari_celltype.workbench import Document, Item
from napari_celltype.workbench import neuron_type as module
from napari_celltype.workbench.classify import Found, Progress
from napari_celltype.workbench.classify_names import broad_type, form_kind, spoken
from napari_celltype.workbench.classify_text import headline
from napari_celltype.workbench.classify_values import CellCall, ModelChoice, Verdict
from napari_celltype.workbench.neuron_joint import (
    agreement,
    choose_partner,
    joint_text,
    neuron_row,
    partner_of,
)
from napari_celltype.workbench.neuron_report import neuron_report_of
from napari_celltype.workbench.neuron_type import NeuronCall, NeuronShelf, NeuronSubject, judge_neuron
from napari_celltype.workbench.neuron_type_session import NeuronTypeSession
from napari_celltype.workbench.neuron_type_text import (
    describe_neuron_call,
    difference_text,
    pair_lines,
    repair_text,
    why_text,
)
from napari_celltype.workbench.neuron_why import Difference, Why, explain
from neuron_stubs import FORMS, FORMS_2, StubNeurons, make_cycle, make_neuron, neuron_shelf

JUMP = 200.0


@pytest.fixture(autouse=True)
def _no_averages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Class averages come from bundled models, which these tests do without."""
    monkeypatch.setattr(module, "differences", lambda *_: None)


def judged(neuron: Neuron, source: Neuron | None = None, shelf: NeuronShelf | None = None) -> NeuronCall:
    call = NeuronCall()
    for step in judge_neuron(ModelChoice("forms"), NeuronSubject(neuron, source or neuron), shelf or neuron_shelf()):
        if isinstance(step, Found):
            call = replace(call, **step.parts)
    return call


def verdict(label: str, share: float = 0.9, *, recorded: bool = False, abstained: bool = False) -> Verdict:
    classes = ("Exc", "Inh") if recorded else ("pyramidal", "basket", "microglia")
    rest = (1 - share) / (len(classes) - 1)
    shares = np.array([share if name == label else rest for name in classes])
    return Verdict("m", "1", "neuron", classes, shares, ("Tiny.",) if abstained else ())


# judging -------------------------------------------------------------------------------------------------------------


def test_the_answer_comes_first_and_the_rest_after_it():
    steps = list(judge_neuron(ModelChoice("forms"), NeuronSubject(make_neuron(), make_neuron()), neuron_shelf()))
    found = [set(step.parts) for step in steps if isinstance(step, Found)]
    assert found[0] == {"verdict", "remarks"}
    assert [step.share for step in steps if isinstance(step, Progress)] == sorted(
        step.share for step in steps if isinstance(step, Progress)
    )
    call = judged(make_neuron())
    assert call.verdict is not None
    assert call.verdict.label == "pyramidal"
    assert headline(call.verdict) == ("Pyramidal, 75 %", "principal cell")
    assert call.pictures is not None
    assert call.pictures.shape[0] == 3
    assert [other.label for other in call.others] == ["principal"]


@pytest.mark.parametrize(
    ("neuron", "said"),
    [(make_cycle(), "runs in a circle"), (Neuron.from_arrays(np.empty((0, 3)), [], name="none.swc"), "no nodes")],
)
def test_what_cannot_be_judged_is_a_sentence_and_no_model_is_loaded(neuron, said):
    def never(*_: object, **__: object) -> None:
        raise AssertionError("asked for a model")

    shelf = NeuronShelf(lambda: [FORMS], never)
    assert said in judged(neuron, shelf=shelf).refusal


def test_a_failing_model_is_told_with_what_to_do():
    shelf = neuron_shelf(StubNeurons(failing=RuntimeError("out of memory")))
    with pytest.raises(ModelError, match=r"could not judge this neuron \(RuntimeError: out of memory\)"):
        judged(make_neuron(), shelf=shelf)
    with pytest.raises(ModelError, match="no model named 'forms'"):
        judged(make_neuron(), shelf=neuron_shelf(StubNeurons(FORMS_2)))


def test_models_of_neurons_are_offered_and_maps_are_not():
    infos = [
        StubInfo("zeta", "neuron", ("a", "b")),
        StubInfo("alpha", "neuron", ("a", "b", "c"), default=False),
        StubInfo("many", "neuron", ("a", "b", "c")),
        StubInfo("place", "neuron", ("a", "b"), kind="neuron-map"),
        StubInfo("wave", "waveform", ("a", "b")),
    ]
    assert [info.name for info in NeuronShelf(lambda: infos).infos()] == ["many", "zeta", "alpha"]


# repair --------------------------------------------------------------------------------------------------------------


def test_mending_that_would_change_the_answer_says_so():
    effect = judged(make_neuron(jump_um=JUMP)).repair
    assert effect is not None
    assert (effect.before.label, effect.after.label, effect.n_jumps) == ("basket", "pyramidal", 1)
    assert not effect.done
    assert repair_text(effect).startswith("Mending the 1 z-jump found would change the answer: Basket")
    assert [line.label for line in pair_lines(effect)] == ["pyramidal", "basket"]


def test_edits_are_compared_with_the_file():
    effect = judged(make_neuron(), make_neuron(jump_um=JUMP)).repair
    assert effect is not None
    assert effect.done
    assert (effect.before.label, effect.after.label) == ("basket", "pyramidal")
    assert "Your edits (the file has 1 z-jump) change the answer: Basket" in repair_text(effect)


def test_without_a_jump_there_is_nothing_to_compare():
    call = judged(make_neuron())
    assert call.repair is None
    assert call.repair_asked


# why -----------------------------------------------------------------------------------------------------------------


def why_of(neuron: Neuron) -> Why:
    call = judged(neuron)
    assert call.verdict is not None
    steps = list(explain(ModelChoice("forms"), neuron, call.verdict, neuron_shelf()))
    last = steps[-1]
    assert isinstance(last, Found)
    return last.parts["why"]


def test_the_branch_that_makes_the_depth_is_the_one_that_decides():
    neuron = make_neuron(jump_um=JUMP)
    why = why_of(neuron)
    assert why.label == "basket"
    first = why.strongest
    assert first is not None
    arm = np.arange(1, 11)
    assert neuron.rows_of([first.node_id])[0] in arm
    assert np.ptp(why.values[arm]) == 0
    assert why.values[arm].min() == why.limit > 1
    assert abs(why.values[11:]).max() < 1e-6
    assert "um of dendrite from node" in why_text(why, neuron)
    assert "would be 25 % instead of 79 %" in why_text(why, neuron)


def test_where_no_branch_decides_it_says_so():
    neuron = make_neuron(4)
    assert "No single branch decides" in why_text(why_of(neuron), neuron)
    alone = Why("basket", np.zeros(3), 0.0)
    assert "No branch could be taken off" in why_text(alone, neuron)


def test_whoever_stops_listening_ends_the_work(monkeypatch):
    from napari_celltype.models import neuron_explain

    ended = threading.Event()

    def endless(*_, progress, cancelled, **__):
        progress(1, 100)
        while not cancelled():
            pass
        ended.set()
        raise ModelError("stopped")

    monkeypatch.setattr(neuron_explain, "occlude_branches", endless)
    steps = explain(ModelChoice("forms"), make_neuron(), verdict("basket"), neuron_shelf())
    next(steps)
    assert next(steps).share == pytest.approx(0.01)
    steps.close()
    assert ended.is_set()


def test_measures_unlike_the_class_are_counted():
    found = (Difference("TotalLength", 1, 2, 3.0), Difference("Depth", 1, 1, 0.1))
    assert (
        difference_text(found, "basket") == "1 of 2 measures are more than two standard deviations from Basket cells."
    )
    assert "All measures lie within" in difference_text(found[1:], "basket")
    assert "No averages" in difference_text(None, "basket")


# the document --------------------------------------------------------------------------------------------------------


@pytest.fixture
def document():
    return Document()


def add(document: Document, value: Neuron | Recording) -> str:
    item = Item.holding(value)
    document.add(item)
    return item.id


def run(neurons: NeuronTypeSession, item: str) -> None:
    neurons.begin(item)
    for step in neurons.steps(item):
        neurons.take(item, step)


def test_an_answer_belongs_to_the_neuron_as_it_was(document):
    neurons = NeuronTypeSession(document, neuron_shelf())
    item = add(document, make_neuron())
    run(neurons, item)
    assert neurons.call(item).verdict is not None
    gone = []
    neurons.forgotten.connect(gone.append)
    late = list(neurons.steps(item))
    document.replace_value(item, make_neuron(jump_um=JUMP))
    assert gone == [item]
    for step in late:
        neurons.take(item, step)
    assert neurons.call(item).verdict is None  # an answer to what is no longer there
    document.close(item)
    with pytest.raises(CelltypeError, match="no longer open"):
        neurons.steps(item)


def test_two_neurons_keep_their_answers_and_the_last_model_stays(document):
    neurons = NeuronTypeSession(document, neuron_shelf())
    first, second = add(document, make_neuron(name="a.swc")), add(document, make_neuron(jump_um=JUMP, name="b.swc"))
    run(neurons, first)
    neurons.choose_model(second, ModelChoice("forms-2class"))
    run(neurons, second)
    assert [neurons.call(item).verdict.label for item in (first, second)] == ["pyramidal", "interneuron"]
    document.history.undo(second)
    assert neurons.model(second).name == "forms"
    assert neurons.model(None).name == "forms-2class"


def test_without_a_model_and_without_an_answer_there_are_sentences(document):
    neurons = NeuronTypeSession(document, NeuronShelf(list))
    item = add(document, make_neuron())
    with pytest.raises(ModelError, match="no model that judges reconstructions"):
        neurons.steps(item)
    with pytest.raises(CelltypeError, match="nothing is predicted"):
        neurons.why_steps(item)


# a cell with both ----------------------------------------------------------------------------------------------------


def make_recording(name: str) -> Recording:
    return Recording(Path("/data") / name, "made up", [])


def test_files_named_alike_are_of_one_cell_until_the_user_says_otherwise(document):
    neuron = add(document, make_neuron(name="Cell 12.CNG.swc"))
    assert partner_of(document, neuron) is None
    other, own = add(document, make_recording("cell_13.abf")), add(document, make_recording("cell_12.abf"))
    assert partner_of(document, neuron) == own
    choose_partner(document, neuron, other)
    assert partner_of(document, neuron) == other
    choose_partner(document, neuron, None)
    assert partner_of(document, neuron) is None


@pytest.mark.parametrize(
    ("recorded", "traced", "how"),
    [
        ("Exc", "pyramidal", "agree"),
        ("Glutamatergic", "principal", "agree"),
        ("Pvalb+", "basket", "agree"),
        ("inhibitory", "medium spiny", "agree"),
        ("Exc", "GABAergic", "differ"),
        ("Inh", "microglia", "silent"),
        ("Exc", "parachromaffin", ""),
    ],
)
def test_what_recording_and_form_say_is_compared(recorded, traced, how):
    assert agreement(recorded, traced) == how


def test_agreement_is_put_into_words():
    text = joint_text(verdict("Inh", recorded=True), verdict("basket"))
    assert text == "Recording: Inhibitory, 90 %. Neuron: Basket, 90 %. They agree."
    assert "disagree" in joint_text(verdict("Exc", recorded=True), verdict("basket"))
    assert "abstains" in joint_text(verdict("Exc", recorded=True), verdict("basket", abstained=True))
    assert "have to be predicted" in joint_text(None, verdict("basket"))


def test_names_of_forms_are_not_those_of_recordings():
    assert spoken("medium spiny") == "Medium spiny"
    assert (spoken("GABAergic"), spoken("Glutamatergic")) == ("GABAergic", "Excitatory")
    assert (form_kind("Purkinje"), form_kind("basket"), form_kind("Exc")) == ("principal cell", "interneuron", "")
    assert broad_type("microglia") == ""


# on paper ------------------------------------------------------------------------------------------------------------


def test_everything_said_is_in_the_lines_the_row_and_the_report():
    neuron = make_neuron(jump_um=JUMP)
    call = replace(judged(neuron), why=why_of(neuron))
    lines = describe_neuron_call(call)
    assert lines[0] == "Neuron's type (forms 1.0.0): Basket, 79 %, interneuron."
    assert any("would change the answer" in line for line in lines)
    row = neuron_row("cell 1", neuron, call)
    assert (row.label, row.model, row.path) == ("basket", "forms", "/data/cell 1.swc")
    report = neuron_report_of(neuron, call, make_recording("a.abf"), CellCall())
    assert report.recorded is None
    assert any("have to be predicted" in text for text in report.sentences)
    with pytest.raises(CelltypeError, match="no prediction"):
        neuron_report_of(neuron, NeuronCall())
    with pytest.raises(CelltypeError, match="nothing is predicted"):
        neuron_row("cell 1", neuron, NeuronCall(refusal="No."))
    assert describe_neuron_call(NeuronCall(refusal="No."))[0] == "Neuron's type: No."


@pytest.mark.parametrize("suffix", [".pdf", ".png"])
def test_the_page_is_drawn_with_and_without_the_recording(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    from celltype_stubs import make_firing_recording, stub_shelf
    from napari_celltype.workbench.classify_session import ClassifySession
    from napari_celltype.workbench.neuron_report_page import save_neuron_report

    document = Document()
    cells = ClassifySession(document, stub_shelf())
    item = add(document, make_firing_recording(1))
    cells.begin(item)
    for step in cells.steps(item):
        cells.take(item, step)
    neuron = make_neuron(jump_um=JUMP)
    call = replace(judged(neuron), why=why_of(neuron), differences=(Difference("TotalLength", 1, 2, 3.0),))
    sizes = []
    for recorded in (CellCall(), cells.call(item)):
        report = neuron_report_of(neuron, call, cells.recording(item), recorded)
        grey = np.full((len(report.rows), 4), 0.5, dtype=np.float32)
        path = save_neuron_report(report, tmp_path / f"page{suffix}", lambda _: "#984d10", lambda *_, grey=grey: grey)
        sizes.append(path.stat().st_size)
    assert min(sizes) > 10_000
    assert sizes[0] != sizes[1]
    with pytest.raises(CelltypeError, match=r"saved as \.pdf or \.png"):
        save_neuron_report(report, tmp_path / "page.txt", lambda _: "#984d10", lambda *_: grey)
