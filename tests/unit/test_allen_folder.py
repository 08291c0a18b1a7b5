"""A folder of Allen recordings: read, trained on at 50 ms, and judged, with made files in place of real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_celltype as nct
from napari_celltype.errors import ModelError
from napari_celltype.io.write_nwb import write_nwb
from napari_celltype.models.waveform_model import TripleCnnModel
from napari_celltype.models.windows import ONSET_FORMAT, PEAK_FORMAT
from napari_celltype.samples.cells import CELL_KINDS, draw_cell
from napari_celltype.samples.protocols import Stimulus, short_square_threshold_pa
from napari_celltype.samples.recording import record
from napari_celltype.training.allen import broad_of_line, read_allen, subclass_of_line
from napari_celltype.training.job import Job
from napari_celltype.training.recipes import run_recipe

LINES = {
    "regular-spiking": "Rorb-IRES2-Cre",
    "fast-spiking": "Pvalb-IRES-Cre",
    "low-threshold": "Sst-IRES-Cre",
    "late-spiking": "Ndnf-IRES2-dgCre",
    "irregular": "Vip-IRES-Cre",
}


@pytest.fixture(scope="module")
def allen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four simulated cells of each kind with three short squares each, as NWB files, and Allen's table of cells."""
    folder = tmp_path_factory.mktemp("allen")
    rng = np.random.default_rng(1)
    rows = []
    for number in range(20):
        kind = CELL_KINDS[number % 5]
        specimen = 500_000_000 + number
        recording = record(cell := draw_cell(kind, rng), squares(short_square_threshold_pa(cell)), rng)[0]
        write_nwb(recording, folder / f"{specimen}_ephys.nwb")
        rows.append((specimen, 1000 + number // 2, LINES[kind], "Mus musculus", "spiny"))
    # one without a file: left out, not fatal
    rows.append((599_999_999, 2000, "Rorb-IRES2-Cre", "Mus musculus", "spiny"))
    columns = ["specimen__id", "donor__id", "line_name", "donor__species", "tag__dendrite_type"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "cells.csv", index=False)
    return folder


def squares(threshold_pa: float) -> tuple[Stimulus, ...]:
    one = Stimulus("Short Square", "short square", 0.06, 0.003, 0.0, 0.12)
    return tuple(replace(one, amplitude_pa=round(threshold_pa * k, -1)) for k in (1.15, 1.4, 1.8))


@pytest.mark.parametrize("form", [ONSET_FORMAT, PEAK_FORMAT])
def test_windows_and_labels_come_from_files_and_table(allen_folder: Path, form: object) -> None:
    spikes = read_allen(allen_folder, form, windows_per_cell=2)  # type: ignore[arg-type]
    assert spikes.windows.shape[1] == form.n_samples  # type: ignore[attr-defined]
    assert len(set(spikes.specimens.tolist())) >= 18
    assert np.bincount(spikes.specimens - 500_000_000).max() == 2
    assert set(spikes.subclass.tolist()) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(spikes.broad, (spikes.subclass > 0).astype(int))
    np.testing.assert_array_equal(spikes.rates_khz, 50.0)


@pytest.mark.parametrize(("suffix", "samples"), [("50ms", 2_500), ("50ms-200khz", 10_000)])
def test_the_50_ms_models_are_trained_and_judge_a_recording_of_the_folder(
    allen_folder: Path, tmp_path: Path, suffix: str, samples: int
) -> None:
    report = run_recipe(f"triple-cnn-{suffix}", Job(allen_folder, tmp_path, quick=True))
    assert 0.0 <= report["tasks"]["triple-cnn-5class"]["triple-cnn-5class"]["mean"]["accuracy"] <= 1.0
    model = nct.load_model(tmp_path / f"triple-cnn-5class-{suffix}", device="cpu")
    assert isinstance(model, TripleCnnModel)
    assert model.form.n_samples == samples
    assert model.self_test() < 1e-5
    said = model.predict(nct.read_recording(allen_folder / "500000001_ephys.nwb"))
    assert said.parts is not None
    assert (said.parts["stop_s"] - said.parts["start_s"]).round(6).tolist() == [0.05] * len(said.parts)
    assert len(model.predict(read_allen(allen_folder, ONSET_FORMAT).windows[:3])) == 3


def test_driver_lines_mean_the_types_the_papers_say() -> None:
    assert [subclass_of_line(line) for line in LINES.values()] == ["Exc", "Pvalb", "Sst", "Ndnf", "Vip"]
    assert subclass_of_line("Slc32a1-T2A-FlpO|Vipr2-IRES2-Cre") == "Pvalb"
    assert subclass_of_line("Nos1-CreERT2|Sst-IRES-FlpO") == "Sst"
    assert subclass_of_line("Htr3a-Cre_NO152") == ""
    assert broad_of_line("Htr3a-Cre_NO152") == "Inh"
    assert (broad_of_line("", "spiny"), broad_of_line("", "aspiny"), broad_of_line("", "")) == ("Exc", "Inh", "")


def test_a_folder_without_a_table_or_without_recordings_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="table of cells cannot be read"):
        read_allen(tmp_path)
    (tmp_path / "cells.csv").write_text("specimen_id,donor_id\n1,1\n")
    with pytest.raises(ModelError, match="no column for line"):
        read_allen(tmp_path)
    (tmp_path / "cells.csv").write_text("specimen_id,donor_id,cre_line\n1,1,Vip-IRES-Cre\n")
    with pytest.raises(ModelError, match="no cell of the table"):
        read_allen(tmp_path)
    (tmp_path / "cell_1.nwb").write_bytes(b"not an NWB file")
    with pytest.raises(ModelError, match="no cell of the table"):
        read_allen(tmp_path)
