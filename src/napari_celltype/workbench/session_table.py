"""The cells of a session as a table: one row a cell, the newest verdict on it, for the notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_celltype.errors import CelltypeError
from napari_celltype.io.atomic import write_atomically
from napari_celltype.recording import Recording

from .classify_text import agreement_text
from .classify_values import CellCall, spread_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "CellRow", "SessionTable", "row_of"]


@dataclass(frozen=True)
class CellRow:
    """One cell: what it is called, what was said, and on what grounds."""

    cell: str
    path: str
    label: str
    confidence: float
    abstained: bool
    model: str
    version: str
    sweep: int | None = None
    start_ms: float | None = None
    stop_ms: float | None = None
    sweeps_asked: int | None = None
    sweeps_agreeing: int | None = None
    sweeps_abstaining: int | None = None
    sweeps_mean: float | None = None
    sweeps_sd: float | None = None
    steady_from_ms: float | None = None
    steady_to_ms: float | None = None
    second_model: str = ""
    second_label: str = ""
    second_confidence: float | None = None
    agreement: str = ""
    reasons: str = ""
    accepted: str = ""
    probabilities: str = ""


COLUMNS = tuple(field.name for field in fields(CellRow))


def row_of(cell: str, recording: Recording, call: CellCall, when: datetime | None = None) -> CellRow:
    """The row that says what is known of a cell now; ``sweep`` is its number in the file.

    Raises
    ------
    CelltypeError
        If nothing was predicted yet.
    """
    verdict = call.verdict
    if verdict is None:
        raise CelltypeError(f"nothing is predicted for {cell} yet", hint="Wait for the prediction, or press Predict.")
    window, spread, second = call.window, spread_of(call.votes or ()), call.companion
    steady = (None, None) if call.band is None else call.band.steady_ms()
    return CellRow(
        cell=cell,
        path=str(recording.path or ""),
        label=verdict.label,
        confidence=round(verdict.confidence, 4),
        abstained=verdict.abstained,
        model=verdict.model,
        version=verdict.version,
        sweep=None if window is None else recording.sweeps[window.sweep].number,
        start_ms=None if window is None else round(window.start_s * 1e3, 4),
        stop_ms=None if window is None else round(window.stop_s * 1e3, 4),
        sweeps_asked=None if spread is None else spread.asked,
        sweeps_agreeing=None if spread is None else spread.agreeing,
        sweeps_abstaining=None if spread is None else spread.asked - spread.judged,
        sweeps_mean=None if spread is None else round(spread.mean, 4),
        sweeps_sd=None if spread is None else round(spread.deviation, 4),
        steady_from_ms=steady[0],
        steady_to_ms=steady[1],
        second_model="" if second is None else second.model,
        second_label="" if second is None else second.label,
        second_confidence=None if second is None else round(second.confidence, 4),
        agreement=agreement_text(verdict, second),
        reasons=" ".join(verdict.reasons),
        accepted=(when or datetime.now()).isoformat(timespec="seconds"),
        probabilities="; ".join(
            f"{name} {share:.4f}" for name, share in zip(verdict.classes, verdict.probabilities, strict=True)
        ),
    )


class SessionTable:
    """Rows by item, in the order they were accepted; accepting a cell again replaces its row."""

    changed = Signal()

    def __init__(self) -> None:
        self._rows: dict[str, CellRow] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> list[CellRow]:
        """The rows."""
        return list(self._rows.values())

    @property
    def item_ids(self) -> list[str]:
        """The item of each row."""
        return list(self._rows)

    def row(self, item_id: str) -> CellRow | None:
        """The row of an item, if it was accepted."""
        return self._rows.get(item_id)

    def accept(self, item_id: str, row: CellRow) -> None:
        """Add a cell, or replace what was said of it before."""
        self._rows[item_id] = row
        self.changed.emit()

    def remove(self, item_ids: Sequence[str]) -> None:
        """Take cells out."""
        self._rows = {key: row for key, row in self._rows.items() if key not in set(item_ids)}
        self.changed.emit()

    def to_frame(self) -> pd.DataFrame:
        """The table, with whole numbers and texts as such even where some are missing."""
        import pandas as pd

        frame = pd.DataFrame([asdict(row) for row in self.rows], columns=list(COLUMNS))
        whole = ["sweep", "sweeps_asked", "sweeps_agreeing", "sweeps_abstaining"]
        return frame.astype(dict.fromkeys(whole, "Int64"))

    def to_clipboard_text(self) -> str:
        """Tab-separated text with a header, as spreadsheets paste it."""
        text: str = self.to_frame().to_csv(sep="\t", index=False, lineterminator="\n")
        return text

    def save(self, path: Path) -> None:
        """Write the table as CSV or Parquet, as the suffix says; the file is whole or not there.

        Raises
        ------
        CelltypeError
            If the suffix is neither, or Parquet needs a package that is not installed.
        """
        suffix = path.suffix.lower()
        if suffix == ".csv":
            write_atomically(path, self.to_frame().to_csv(index=False).encode("utf-8"), overwrite=True)
        elif suffix == ".parquet":
            write_atomically(path, _parquet_bytes(self.to_frame()), overwrite=True)
        else:
            raise CelltypeError(f"tables are saved as .csv or .parquet, not {suffix or 'without a suffix'}")


def _parquet_bytes(frame: pd.DataFrame) -> bytes:
    from io import BytesIO

    target = BytesIO()
    try:
        frame.to_parquet(target, index=False)
    except ImportError as error:
        raise CelltypeError(
            "Parquet files need the package pyarrow", hint="pip install 'napari-celltype[export]', or save as CSV."
        ) from error
    return target.getvalue()
