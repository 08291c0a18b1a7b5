"""The list of sweeps as a table: number, stimulus, length, rate, clamp, colour when drawn, and what is doubtful."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap

from napari_celltype.recording import Recording, Sweep

__all__ = ["SweepTable", "clamp_text", "rate_text", "sweep_tooltip"]

_CLAMP = {"current": "CC", "voltage": "VC", "unknown": "?"}
_COLUMNS = ("No.", "Stimulus", "Length", "kHz", "Clamp")
_SWATCH = QSize(12, 12)


def clamp_text(sweep: Sweep) -> str:
    """Clamp mode in two letters, with a question mark where it is a guess."""
    guessed = sweep.clamp != "unknown" and "guess" in sweep.clamp_reason.lower()
    return _CLAMP[sweep.clamp] + ("?" if guessed else "")


def rate_text(rate_hz: float) -> str:
    """Sampling rate as people say it."""
    return f"{rate_hz / 1e3:.4g} kHz" if rate_hz >= 1e3 else f"{rate_hz:.4g} Hz"


def duration_text(seconds: float) -> str:
    """Duration with a unit that fits."""
    if seconds < 1:
        return f"{seconds * 1e3:.4g} ms"
    return f"{seconds:.4g} s" if seconds < 120 else f"{seconds / 60:.3g} min"


def sweep_tooltip(sweep: Sweep, problem: str) -> str:
    """All that is known of a sweep, one line each."""
    clamp = {"current": "Current clamp", "voltage": "Voltage clamp", "unknown": "Clamp mode unknown"}[sweep.clamp]
    lines = [
        f"Sweep {sweep.number}" + (f", electrode {sweep.electrode}" if sweep.electrode else ""),
        sweep.stimulus.name,
        sweep.stimulus.description if sweep.stimulus.description != sweep.stimulus.name else "",
        f"{duration_text(sweep.stored_duration_s)} at {rate_text(sweep.rate_hz)}, {sweep.n_stored:,} samples",
        f"{clamp}: {sweep.clamp_reason}" if sweep.clamp_reason else clamp,
        "No current is stored." if sweep.read_current is None else "",
        "No voltage is stored." if sweep.read_voltage is None else "",
        f"⚠ {problem}" if problem else "",
    ]
    return "\n".join(line for line in lines if line)


class SweepTable(QAbstractTableModel):
    """Model of the sweep list; a row is a position in ``Recording.sweeps``."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._sweeps: list[Sweep] = []
        self._several_electrodes = False
        self._problems: dict[int, str] = {}
        self._colours: dict[int, str] = {}
        self.warning_colour = "#e3b617"

    def show(self, recording: Recording | None) -> None:
        """List the sweeps of this recording."""
        self.beginResetModel()
        self._sweeps = list(recording.sweeps) if recording is not None else []
        self._several_electrodes = recording is not None and len(recording.electrodes) > 1
        self._problems = {}
        self._colours = {}
        self.endResetModel()

    def set_problems(self, problems: dict[int, str]) -> None:
        """Mark sweeps about which something is doubtful."""
        self._problems = problems
        self._tell_changed()

    def set_colours(self, colours: dict[int, str]) -> None:
        """Mark the sweeps drawn with the colour they are drawn in."""
        self._colours = colours
        self._tell_changed()

    def _tell_changed(self) -> None:
        if self._sweeps:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._sweeps) - 1, len(_COLUMNS) - 1))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        """Number of sweeps."""
        return 0 if parent.isValid() else len(self._sweeps)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008  # Qt's signature
        """Number of columns."""
        return 0 if parent.isValid() else len(_COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Column titles."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, colour, marks and tooltip of a cell."""
        sweep = self._sweeps[index.row()]
        problem = self._problems.get(index.row(), "")
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(sweep, index.column(), problem)
        if role == Qt.ItemDataRole.ToolTipRole:
            return sweep_tooltip(sweep, problem)
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return _swatch(self._colours.get(index.row()))
        if role == Qt.ItemDataRole.ForegroundRole and problem and index.column() == 0:
            return QColor(self.warning_colour)
        return None

    def _text(self, sweep: Sweep, column: int, problem: str) -> str:
        number = f"{sweep.number}{f' {sweep.electrode}' if self._several_electrodes else ''}"
        texts = (
            f"{number} ⚠" if problem else number,
            sweep.stimulus.name or sweep.stimulus.description,
            duration_text(sweep.stored_duration_s),
            f"{sweep.rate_hz / 1e3:.4g}",
            clamp_text(sweep),
        )
        return texts[column]


def _swatch(colour: str | None) -> QIcon:
    """A round patch of a colour, or an empty one of the same size so that the text stays where it is."""
    pixmap = QPixmap(_SWATCH)
    pixmap.fill(Qt.GlobalColor.transparent)
    if colour is not None:
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(QColor(colour))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.drawEllipse(1, 1, _SWATCH.width() - 2, _SWATCH.height() - 2)
        painter.end()
    icon = QIcon()
    # the same picture when selected, else Qt tints it with the highlight
    icon.addPixmap(pixmap, QIcon.Mode.Normal)
    icon.addPixmap(pixmap, QIcon.Mode.Selected)
    return icon
