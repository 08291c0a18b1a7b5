"""What is said about recordings: order of the answers, votes, shifts, agreement, choices, table and report."""

from __future__ import annotations

import json
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from celltype_stubs import (
    FEATURES,
    OTHER,
    WAVEFORM,
    StubFeatures,
    StubInfo,
    StubRates,
    StubWaveform,
    make_firing_recording,
    make_firing_sweep,
    stub_shelf,
)
from napari_celltype.ephys.windows import ApWindow
from napari_celltype.errors import CelltypeError, ModelError, RecordingError
from napari_celltype.recording import Recording
from napari_celltype.workbench import Document, Item
from napari_celltype.workbench import classify as classify_module
from napari_celltype.workbench.classify import Progress
from napari_celltype.workbench.classify_models import Shelf, companion_of, default_choice, fitting_models
from napari_celltype.workbench.classify_names import canonical, compare_labels, overlap
from napari_celltype.workbench.classify_session import ClassifySession
from napari_celltype.workbench.classify_text import agreement_text, band_text, headline, percent, votes_text
from napari_celltype.workbench.classify_values import Band, ModelChoice, Verdict, Vote, spread_of
from napari_celltype.workbench.classify_windows import drawn
from napari_celltype.workbench.report import report_of
from napari_celltype.workbench.report_page import save_report
from napari_celltype.workbench.session_table import COLUMNS


def session_with(recording: Recording, shelf: Shelf | None = None) -> tuple[ClassifySession, str]:
    document = Document()
    session = ClassifySession(document, shelf or stub_shelf())
    item = Item.holding(recording)
    document.add(item)
    return session, item.id


def ask(session: ClassifySession, item_id: str):
    session.begin(item_id)
    for step in session.steps(item_id):
        session.take(item_id, step)
    return session.call(item_id)


def verdict(label_shares: dict[str, float], reasons: tuple[str, ...] = (), seen: str = "waveform") -> Verdict:
    return Verdict("m", "1", seen, tuple(label_shares), np.array(list(label_shares.values())), reasons)


# the answer -------------------------------------------------------------------------------------------------------


def test_everything_is_answered_and_the_best_window_taken():
    session, item = session_with(make_firing_recording(3))
    call = ask(session, item)
    assert call.window is not None
    assert call.window == session.window(item)
    assert call.window.peak_s == pytest.approx(0.06, abs=5e-5)
    assert (call.verdict.label, call.verdict.abstained) == ("Inh", False)
    assert call.verdict.confidence == pytest.approx(0.9, abs=0.02)
    assert [vote.number for vote in call.votes] == [1, 2, 3]
    assert call.companion.label == "inhibitory"
    assert call.refusal == ""


def test_the_verdict_on_a_chosen_window_comes_before_everything_slow():
    session, item = session_with(make_firing_recording(3))
    session.choose_window(item, ApWindow.around_peak(1, 0.062))
    parts = []
    for step in session.steps(item):
        parts.append(step.doing if isinstance(step, Progress) else sorted(getattr(step, "parts", {})))
    assert parts.index(["verdict", "window"]) < parts.index("Looking for action potentials")


def test_shifting_the_window_shows_where_the_model_gives_up():
    session, item = session_with(make_firing_recording(1))
    band = ask(session, item).band
    low, high = band.steady_ms()
    assert low == pytest.approx(-0.3)
    assert high == pytest.approx(0.3)
    assert band.abstained[0]
    assert band.shifts_ms[0] == -1.0
    assert "−0.3 to +0.3 ms" in band_text(band)


def test_a_second_question_does_not_search_for_spikes_again():
    session, item = session_with(make_firing_recording(3))
    ask(session, item)
    facts = session.facts(item)
    spikes = facts.spikes
    session.step_suggested(item, 1)
    ask(session, item)
    assert session.facts(item) is facts
    assert facts.spikes is spikes


def test_a_feature_model_is_asked_first_when_it_is_chosen_and_the_sweeps_vote_by_the_other():
    session, item = session_with(make_firing_recording(2))
    session.choose_model(item, ModelChoice("feat"))
    call = ask(session, item)
    assert call.verdict.input == "features"
    assert call.verdict.gates is not None
    assert call.companion.input == "waveform"
    assert len(call.votes) == 2
    assert call.features is not None


def test_without_a_waveform_model_there_are_no_votes_and_that_is_no_failure():
    session, item = session_with(make_firing_recording(2), stub_shelf(StubFeatures(FEATURES)))
    call = ask(session, item)
    assert call.votes == ()
    assert call.band is None
    assert call.companion is None
    assert agreement_text(call.verdict, None) == "No waveform model is here to compare with."


def test_further_default_models_are_asked_too():
    more = StubInfo("sub", "features", ("Glutamatergic", "Pvalb+"))
    session, item = session_with(
        make_firing_recording(1), stub_shelf(StubWaveform(WAVEFORM), StubFeatures(FEATURES), StubFeatures(more))
    )
    assert [other.model for other in ask(session, item).others] == ["sub"]


# states in which nothing can be said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recording", "sentence"),
    [
        (make_firing_recording(2, clamp="voltage"), "All sweeps are voltage clamp"),
        (make_firing_recording(0), "holds no sweeps"),
        (make_firing_recording(2, peaks_s=()), "No action potential was found in its 2 sweeps"),
    ],
)
def test_where_nothing_can_be_judged_a_sentence_says_why(recording, sentence):
    session, item = session_with(recording)
    call = ask(session, item)
    assert sentence in call.refusal
    assert call.verdict is None


def test_a_window_on_a_voltage_clamp_sweep_is_a_reason_to_abstain():
    sweeps = [make_firing_sweep(0), make_firing_sweep(1, clamp="voltage")]
    session, item = session_with(Recording(make_firing_recording().path, "made up", sweeps))
    session.choose_window(item, ApWindow.around_peak(1, 0.06))
    call = ask(session, item)
    assert call.verdict.reasons == ("Sweep 2 is voltage clamp; choose one in current clamp.",)
    assert headline(call.verdict)[0] == "I don't know"


def test_a_sampling_rate_the_model_does_not_bear_is_a_reason():
    slow = StubWaveform(WAVEFORM, rates=StubRates(80_000.0, 200_000.0))
    session, item = session_with(make_firing_recording(1), stub_shelf(slow))
    assert "50 kHz" in ask(session, item).verdict.reasons[0]


@pytest.mark.parametrize("failure", [RuntimeError("out of memory"), ValueError("odd shape"), ImportError("no torch")])
def test_a_model_that_fails_is_one_sentence(failure):
    session, item = session_with(make_firing_recording(1), stub_shelf(StubWaveform(WAVEFORM, failing=failure)))
    with pytest.raises(ModelError, match=f"wave could not judge this recording .*{failure}"):
        ask(session, item)


def test_no_model_and_a_missing_model_say_so():
    session, item = session_with(make_firing_recording(1), Shelf(list))
    with pytest.raises(ModelError, match="no model that judges recordings"):
        ask(session, item)
    session, item = session_with(make_firing_recording(1))
    session.choose_model(item, ModelChoice("gone"))
    with pytest.raises(ModelError, match="no model named 'gone'"):
        ask(session, item)


# choices ------------------------------------------------------------------------------------------------------------


def test_windows_and_models_chosen_are_undone_and_redone_one_by_one():
    session, item = session_with(make_firing_recording(3))
    first, second = ApWindow.around_peak(0, 0.06), ApWindow.around_peak(1, 0.062)
    session.choose_window(item, first)
    session.choose_window(item, second)
    session.choose_model(item, ModelChoice("feat"))
    history = session.document.history
    history.undo(item)
    assert (session.model(item).name, session.window(item)) == ("wave", second)
    history.undo(item)
    assert session.window(item) == first
    history.redo(item)
    history.redo(item)
    assert (session.model(item).name, session.window(item)) == ("feat", second)


def test_the_window_taken_by_itself_is_no_step_to_undo():
    session, item = session_with(make_firing_recording(2))
    ask(session, item)
    assert session.document.history.done == ()


def test_a_window_beyond_the_sweep_is_brought_back():
    session, item = session_with(make_firing_recording(1))
    session.choose_window(item, ApWindow(0, -1.0, 0.003))
    assert session.window(item).start_s == 0.0


def test_suggestions_go_round_in_both_directions():
    session, item = session_with(make_firing_recording(2))
    windows = ask(session, item).suggested
    seen = []
    for _ in windows:
        session.step_suggested(item, 1)
        seen.append(session.window(item))
    assert seen == [*windows[1:], windows[0]]
    session.step_suggested(item, -1)
    assert session.window(item) == windows[-1]


def test_without_suggestions_the_key_says_so():
    session, item = session_with(make_firing_recording(1, peaks_s=()))
    ask(session, item)
    with pytest.raises(CelltypeError, match="no window is suggested"):
        session.step_suggested(item, 1)


@pytest.mark.parametrize("searched", [True, False])
def test_snapping_finds_the_nearest_spike_and_the_onset(searched):
    session, item = session_with(make_firing_recording(1))
    if searched:
        ask(session, item)
    session.choose_window(item, ApWindow(0, 0.063, 0.066))
    session.snap_to_spike(item)
    assert session.window(item).kind == "peak"
    assert session.window(item).peak_s == pytest.approx(0.06, abs=5e-5)
    session.snap_to_onset(item)
    assert session.window(item).kind == "onset"
    assert session.window(item).start_s == pytest.approx(0.025, abs=1e-4)


def test_snapping_where_there_is_no_spike_says_so():
    session, item = session_with(make_firing_recording(1, n=20_000))
    ask(session, item)
    session.choose_window(item, ApWindow(0, 0.3, 0.303))
    with pytest.raises(CelltypeError, match="no action potential lies within 25 ms"):
        session.snap_to_spike(item)


def test_dragging_keeps_the_kind_and_resizing_makes_it_manual():
    window = ApWindow.around_peak(0, 0.06)
    assert drawn(0, 0.0592, 0.0622, window).kind == "peak"
    assert drawn(0, 0.0592, 0.0642, window).kind == "manual"
    assert drawn(1, 0.0592, 0.0622, window).kind == "manual"
    assert drawn(0, 0.06, 0.06).duration_s > 0


def test_closing_a_recording_forgets_what_was_said_of_it():
    session, item = session_with(make_firing_recording(1))
    ask(session, item)
    session.document.close(item)
    assert session.call(item).verdict is None
    assert session.facts(item) is None
    session.take(item, Progress(1.0, ""))
    session.fail(item, "too late")
    assert session.call(item).refusal == ""


# names and words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "how"),
    [
        ("Pvalb+", "Pvalb", "same"),
        ("Glutamatergic", "Exc", "same"),
        ("inhibitory", "Sst", "same"),
        ("Sst", "Vip+", "broad"),
        ("Exc", "Vip", "differ"),
        ("Htr3a+|Vip-", "Ndnf", "broad"),
        ("spiny", "aspiny", "differ"),
        ("granule", "Exc", "unknown"),
    ],
)
def test_labels_of_different_models_are_compared_by_what_they_mean(one, other, how):
    assert compare_labels(one, other) == compare_labels(other, one) == how


def test_classes_spelt_differently_overlap():
    assert overlap(["Exc", "Sst", "Vip"], ["Glutamatergic", "Sst+", "Vip+"]) == 1.0
    assert canonical("Htr3a+|Vip-") == "htr3a"


def test_probabilities_are_never_rounded_to_certainty():
    assert percent(0.999) == "> 99 %"
    assert percent(0.001) == "< 1 %"
    assert percent(0.876) == "88 %"


def test_abstention_says_i_do_not_know_and_the_best_guess():
    assert headline(verdict({"Exc": 0.55, "Inh": 0.45}, ("Low confidence.",))) == (
        "I don't know",
        "best guess Excitatory, 55 %",
    )
    assert headline(verdict({"Pvalb": 0.9, "Sst": 0.1})) == ("Pvalb, 90 %", "inhibitory")


def test_votes_are_counted_among_sweeps_that_can_be_judged():
    session, item = session_with(make_firing_recording(4))
    assert votes_text(ask(session, item).votes).startswith("4 of 4 sweeps say Inhibitory")
    assert votes_text(()) == "No sweep has a window this model takes."


def vote(number: int, share: float, *, sound: bool = True) -> Vote:
    said = verdict({"Exc": 1 - share, "Inh": share}, () if sound else ("Low confidence.",))
    return Vote(number, number, "long square", said)


def test_sweeps_the_model_abstains_on_count_neither_for_nor_against():
    votes = [vote(1, 0.9), vote(2, 0.7), vote(3, 0.2), vote(4, 0.55, sound=False), vote(5, 0.52, sound=False)]
    spread = spread_of(votes)
    assert (spread.label, spread.asked, spread.judged, spread.agreeing) == ("Inh", 5, 3, 2)
    assert spread.mean == pytest.approx(0.6)
    assert spread.deviation == pytest.approx(np.std([0.9, 0.7, 0.2]))
    assert votes_text(votes) == ("2 of 3 sweeps say Inhibitory (mean 60 %, 20 % to 90 %; 2 more it would not judge).")
    assert spread_of([vote(1, 0.55, sound=False)]).agreeing == 0
    assert spread_of(()) is None


def test_where_features_cannot_be_read_the_spike_is_judged_and_the_rest_is_a_remark(monkeypatch):
    def refuse(recording):
        raise RecordingError("was deleted meanwhile")

    monkeypatch.setattr(classify_module, "extracted_features", refuse)
    session, item = session_with(make_firing_recording(2))
    call = ask(session, item)
    assert call.verdict.label == "Inh"
    assert call.companion is None
    assert call.remarks == ("was deleted meanwhile",)
    session.choose_model(item, ModelChoice("feat"))
    call = ask(session, item)
    assert call.verdict is None
    assert "was deleted meanwhile" in call.refusal


def test_a_bug_looks_like_one():
    session, item = session_with(make_firing_recording(1), stub_shelf(StubWaveform(WAVEFORM, failing=KeyError("x"))))
    with pytest.raises(KeyError):
        ask(session, item)


def test_a_verdict_that_holds_for_no_shift_is_said_to():
    band = Band(("a", "b"), np.array([-0.1, 0.0, 0.1]), np.array([[1, 0], [0, 1], [1, 0]]), np.array([0, 1, 0], bool))
    assert "holds for no shift" in band_text(band)


def test_waveforms_and_defaults_come_first_and_companions_share_classes():
    ranked = fitting_models([OTHER, FEATURES, WAVEFORM, StubInfo("map", "features", (), kind="map")])
    assert [info.name for info in ranked] == ["wave", "feat", "subclasses"]
    assert default_choice(ranked).name == "wave"
    assert companion_of("wave", ranked).name == "feat"


# table and report -----------------------------------------------------------------------------------------------------


def test_the_table_goes_to_csv_parquet_and_clipboard_and_back(tmp_path):
    session, item = session_with(make_firing_recording(2, name="cell, “one”.abf"))
    ask(session, item)
    session.accept(item)
    session.accept(item)
    table = session.table
    assert len(table) == 1
    table.save(tmp_path / "cells.csv")
    table.save(tmp_path / "cells.parquet")
    for back in (pd.read_csv(tmp_path / "cells.csv"), pd.read_parquet(tmp_path / "cells.parquet")):
        assert list(back.columns) == list(COLUMNS)
        assert back["cell"][0] == "cell, “one”.abf"
        assert back["label"][0] == "Inh"
        assert back["sweep"][0] == 1
        assert back["sweeps_agreeing"][0] == 2
        assert back["sweeps_abstaining"][0] == 0
        assert back["steady_from_ms"][0] == pytest.approx(-0.3)
    header, line = table.to_clipboard_text().splitlines()
    assert header.split("\t") == list(COLUMNS)
    assert line.split("\t")[2] == "Inh"


def test_a_table_of_no_cells_is_a_header_and_other_suffixes_are_refused(tmp_path):
    session, _ = session_with(make_firing_recording(1))
    session.table.save(tmp_path / "empty.csv")
    assert pd.read_csv(tmp_path / "empty.csv").empty
    with pytest.raises(CelltypeError, match=r"not \.xlsx"):
        session.table.save(tmp_path / "cells.xlsx")


def test_nothing_is_accepted_or_reported_before_there_is_a_prediction():
    session, item = session_with(make_firing_recording(1))
    with pytest.raises(CelltypeError, match="nothing is predicted"):
        session.accept(item)
    with pytest.raises(CelltypeError, match="no prediction to report"):
        report_of(session.recording(item), session.call(item))


@pytest.mark.parametrize("suffix", [".pdf", ".png"])
@pytest.mark.parametrize("models", [(), (StubFeatures(FEATURES),)])
def test_the_report_is_one_page_with_or_without_a_waveform_model(tmp_path, suffix, models):
    session, item = session_with(make_firing_recording(3), stub_shelf(*models))
    call = ask(session, item)
    report = report_of(session.recording(item), call, datetime(2026, 1, 2, 3, 4))
    assert report.when == "2026-01-02 03:04"
    assert json.dumps(report.facts)
    path = save_report(report, tmp_path / f"cell{suffix}", lambda name: "#0072b2")
    data = path.read_bytes()
    assert data.startswith(b"%PDF" if suffix == ".pdf" else b"\x89PNG")
    if suffix == ".pdf":
        assert data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") == 1
    with pytest.raises(CelltypeError, match="reports are saved as"):
        save_report(report, tmp_path / "cell.doc", lambda name: "#0072b2")
