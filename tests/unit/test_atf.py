"""Axon text files: columns become sweeps, whatever locale wrote them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_celltype import Recording, RecordingError, read_recording

RATE_HZ = 10_000.0


def atf_text(values: np.ndarray, titles: list[str], signals: list[str] | None = None, time: str = "Time (s)") -> str:
    scale = 1e3 if "ms" in time else 1.0
    items = ['"AcquisitionMode=Episodic Stimulation"', '"SweepStartTimesMS=0.000,500.000,1000.000"']
    if signals is not None:
        items.append("\t".join(['"Signals="', *(f'"{signal}"' for signal in signals)]))
    head = ["ATF\t1.0", f"{len(items)}\t{len(titles) + 1}", *items, "\t".join(f'"{t}"' for t in [time, *titles])]
    rows = ["\t".join([f"{k / RATE_HZ * scale:g}", *(f"{v:.6g}" for v in row)]) for k, row in enumerate(values)]
    return "\n".join([*head, *rows]) + "\n"


def opened(tmp_path: Path, text: str) -> Recording:
    path = tmp_path / "made.atf"
    path.write_bytes(text.encode("cp1252"))
    return read_recording(path)


VALUES = np.random.default_rng(0).normal(-65, 2, (200, 3))
TITLES = [f"Trace #{k} (mV)" for k in (1, 2, 3)]


@pytest.mark.parametrize("time", ["Time (s)", "Time (ms)"])
def test_each_column_is_a_sweep(tmp_path: Path, time: str) -> None:
    recording = opened(tmp_path, atf_text(VALUES, TITLES, ["IN 0"] * 3, time))
    assert recording.format == "ATF"
    assert recording.rate_hz == RATE_HZ
    assert [sweep.start_s for sweep in recording.sweeps] == [0, 0.5, 1.0]
    for sweep in recording.sweeps:
        assert sweep.clamp == "current"
        np.testing.assert_allclose(sweep.voltage_mv(), VALUES[:, sweep.number], rtol=1e-5)


def test_two_signals_of_a_sweep_are_one_electrode(tmp_path: Path) -> None:
    values = np.hstack([VALUES, VALUES[:, :1]])
    titles = ["Trace #1 (mV)", "Trace #1 (nA)", "Trace #2 (mV)", "Trace #2 (nA)"]
    recording = opened(tmp_path, atf_text(values, titles, ["Vm", "I_Cmd", "Vm", "I_Cmd"]))
    assert len(recording.sweeps) == 2
    np.testing.assert_allclose(recording.sweeps[1].voltage_mv(), values[:, 2], rtol=1e-5)
    np.testing.assert_allclose(recording.sweeps[1].current_pa(), values[:, 3] * 1e3, rtol=1e-5)


def test_decimal_commas_are_understood(tmp_path: Path) -> None:
    head, _, rows = atf_text(VALUES, TITLES).partition('(mV)"\n')
    recording = opened(tmp_path, f'{head}(mV)"\n{rows.replace(".", ",")}')
    np.testing.assert_allclose(recording.sweeps[2].voltage_mv(), VALUES[:, 2], rtol=1e-5)


def test_windows_lines_and_blank_lines_at_the_end_are_no_samples(tmp_path: Path) -> None:
    recording = opened(tmp_path, atf_text(VALUES, TITLES).replace("\n", "\r\n") + "\r\n\r\n")
    assert recording.sweeps[0].n_stored == 200
    np.testing.assert_allclose(recording.sweeps[0].voltage_mv(), VALUES[:, 0], rtol=1e-5)


def test_a_line_cut_short_is_left_out_and_told(tmp_path: Path) -> None:
    recording = opened(tmp_path, atf_text(VALUES, TITLES)[:-14])
    assert recording.sweeps[0].n_stored == 199
    assert any("ends within a line" in note for note in recording.problems)
    np.testing.assert_allclose(recording.sweeps[0].voltage_mv(), VALUES[:199, 0], rtol=1e-5)


def test_opening_parses_no_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("parsed")

    text = atf_text(VALUES, TITLES)
    monkeypatch.setattr(np, "loadtxt", refuse)
    assert len(opened(tmp_path, text).sweeps) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ATF\t1.0\n", "two counts"),
        ("ATF\t1.0\n0\t999999999\n", "counts"),
        ("ATF\t1.0\n0\t3\n", "columns"),
        ('ATF\t1.0\n0\t2\n"Time (s)"\t"T (mV)"\n', "no samples"),
        ('ATF\t1.0\n0\t2\n"Time (s)"\t"T (mV)"\n0\t1\n', "no samples"),
        ('ATF\t1.0\n0\t2\n"Time (s)"\t"T (mV)"\n0\t1\n0\t1\n', "does not rise"),
        ('ATF\t1.0\n0\t2\n"Time (s)"\t"T (C)"\n0\t1\n1\t2\n', "no voltage or current"),
    ],
)
def test_a_damaged_header_is_an_error_with_a_next_step(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(RecordingError, match=words) as caught:
        opened(tmp_path, text)
    assert caught.value.hint


def test_words_among_the_numbers_are_an_error_when_read(tmp_path: Path) -> None:
    lines = atf_text(VALUES, TITLES).splitlines()
    lines[50] = "0.004\tnot\ta\tnumber"
    recording = opened(tmp_path, "\n".join(lines))
    with pytest.raises(RecordingError, match="not made of numbers"):
        recording.sweeps[0].voltage_mv()


@pytest.mark.needs_data
def test_values_equal_pyabf(shared_data: Path) -> None:
    pyabf = pytest.importorskip("pyabf")
    path = shared_data / "recordings" / "swharden+pyABF" / "model_vc_ramp.atf"
    recording, peer = read_recording(path), pyabf.ATF(str(path))
    assert (len(recording.sweeps), recording.rate_hz) == (peer.sweepCount, peer.dataRate)
    for sweep in recording.sweeps[::7]:
        peer.setSweep(sweep.number)
        np.testing.assert_allclose(sweep.current_pa(), peer.sweepY, rtol=1e-6)
