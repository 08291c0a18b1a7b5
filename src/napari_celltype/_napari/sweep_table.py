"""The list of sweeps as a table: number, stimulus, amplitude, spikes, clamp, colour when drawn, what is doubtful."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap

from napari_celltype.recording import Recording, Sweep
from napari_celltype.workbench.classify_facts import SweepFacts

__all__ = ["CLAMP_COLUMN", "STIMULUS_COLUMN", "SweepTable", "clamp_text", "rate_text", "sweep_tooltip"]

STIMULUS_COLUMN, CLAMP_COLUMN = 1, 4

_CLAMP = {"current": "CC", "voltage": "VC", "unknown": "?"}
_COLUMNS = ("No.", "Stimulus", "pA", "Spikes", "Clamp")
_TIPS = (
    "Number of the sweep in the file, and the colour it is drawn in; ⚠ marks what is doubtful",
    "Kind of stimulus",
    "Injected current in pA: its largest deviation from the baseline",
    "Action potentials found",
    "CC: current clamp, VC: voltage clamp, ?: a guess or unknown",
)
_NUMBERS = (2, 3)
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


def sweep_tooltip(sweep: Sweep, problem: str, facts: SweepFacts | None = None) -> str:
    """All that is known of a sweep, one line each."""
    stimulus = facts.stimulus if facts is not None else None
    clamp = {"current": "Current clamp", "voltage": "Voltage clamp", "unknown": "Clamp mode unknown"}[sweep.clamp]
    lines = [
        f"Sweep {sweep.number}" + (f", electrode {sweep.electrode}" if sweep.electrode else ""),
        sweep.stimulus.name,
        sweep.stimulus.description if sweep.stimulus.description != sweep.stimulus.name else "",
        f"{_spoken(stimulus.kind)}: {stimulus.reason}" if stimulus is not None and stimulus.reason else "",
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
        self._facts: dict[int, SweepFacts] = {}
        self.warning_colour = "#e3b617"

    def show(self, recording: Recording | None) -> None:
        """List the sweeps of this recording."""
        self.beginResetModel()
        self._sweeps = list(recording.sweeps) if recording is not None else []
        self._several_electrodes = recording is not None and len(recording.electrodes) > 1
        self._problems = {}
        self._colours = {}
        self._facts = {}
        self.endResetModel()

    def set_problems(self, problems: dict[int, str]) -> None:
        """Mark sweeps about which something is doubtful."""
        self._problems = problems
        self._tell_changed()

    def set_facts(self, facts: dict[int, SweepFacts]) -> None:
        """Say what was found out about the sweeps."""
        self._facts = facts
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
        """Column titles, and what they mean."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _COLUMNS[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS[section]
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text, colour, marks and tooltip of a cell."""
        sweep = self._sweeps[index.row()]
        problem = self._problems.get(index.row(), "")
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(sweep, index.column(), problem)
        if role == Qt.ItemDataRole.ToolTipRole:
            return sweep_tooltip(sweep, problem, self._facts.get(index.row()))
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column() in _NUMBERS:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.DecorationRole and index.column() == 0:
            return _swatch(self._colours.get(index.row()))
        if role == Qt.ItemDataRole.ForegroundRole and problem and index.column() == 0:
            return QColor(self.warning_colour)
        return None

    def _text(self, sweep: Sweep, column: int, problem: str) -> str:
        number = f"{sweep.number}{f' {sweep.electrode}' if self._several_electrodes else ''}"
        facts = self._facts.get(sweep.index)
        texts = (
            f"{number} ⚠" if problem else number,
            _stimulus_text(sweep, facts),
            _amplitude_text(facts),
            "" if facts is None or facts.peak_s is None else f"{len(facts.peak_s):,}",
            clamp_text(sweep),
        )
        return texts[column]


def _stimulus_text(sweep: Sweep, facts: SweepFacts | None) -> str:
    """Its kind once that is known, else what the file calls it."""
    named = sweep.stimulus.name or sweep.stimulus.description
    return named if facts is None or facts.stimulus.kind == "unknown" else _spoken(facts.stimulus.kind)


def _spoken(kind: str) -> str:
    return kind.replace("_", " ").capitalize()


def _amplitude_text(facts: SweepFacts | None) -> str:
    amplitude = None if facts is None else facts.stimulus.amplitude_pa
    return "" if amplitude is None else f"{round(amplitude)}".replace("-", "−")


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
