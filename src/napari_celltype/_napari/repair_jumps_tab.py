"""The tab "Jumps": thresholds, the list, and what to decide."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QItemSelectionModel, Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from napari_celltype.workbench.repair_jumps import JumpRow
from napari_celltype.workbench.repair_neuron import warn_of_depth
from napari_celltype.workbench.repair_session import RepairSession
from napari_celltype.workbench.repair_state import JumpKey, JumpState

from .plots.theme import PlotTheme
from .repair_mode_bar import ModeBar
from .repair_panels import ThresholdPanel
from .repair_table import JumpTable

__all__ = ["JumpsTab"]

_WIDEST = ("88888", "+888.8", "888.8 ⚠", "88,888", "88,888", "●● accepted", "align")


class JumpsTab(QWidget):
    """Lists the jumps of a session; ``desk`` runs what may fail and reports it."""

    selected = Signal()

    def __init__(self, desk: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._key: JumpKey | None = None
        self._quiet = False
        self._build()
        # a slider sends more changes than a screen shows: the list follows as soon as the events are worked off
        self._thresholds_wait = QTimer(self)
        self._thresholds_wait.setSingleShot(True)
        self._thresholds_wait.timeout.connect(self._on_thresholds_settled)
        self.thresholds.changed.connect(self._on_thresholds_changed)

    def _build(self) -> None:
        self.thresholds = ThresholdPanel()
        self.model = JumpTable(self)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(20)
        self.table.setMinimumHeight(70)
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.table.horizontalHeader()
        # fitted once to the longest texts there are: fitting to the contents at every change costs more than the change
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        for column, text in enumerate(_WIDEST):
            header.resizeSection(column, self.table.fontMetrics().horizontalAdvance(text) + 14)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        self.table.selectionModel().selectionChanged.connect(self._on_table_selected)
        self.summary = QLabel()
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.go_on = QCheckBox("then next")
        self.go_on.setChecked(True)
        self.go_on.setToolTip("After accepting or refusing a jump go on to the next open one")
        column = QVBoxLayout(self)
        column.setContentsMargins(2, 4, 2, 2)
        column.setSpacing(4)
        column.addWidget(self.thresholds)
        column.addWidget(self.summary)
        column.addWidget(self.table, 1)
        column.addLayout(self._build_verdicts())
        self.modes = ModeBar(self)
        column.addWidget(self.modes)

    def _build_verdicts(self) -> QHBoxLayout:
        bar = QHBoxLayout()
        bar.setSpacing(4)
        self.accept_button = self._button("Accept", "Mend the selected jumps (A)", self.accept)
        self.refuse_button = self._button("Refuse", "Leave the selected steps as they are (R)", self.refuse)
        self.reopen_button = self._button("Reopen", "Decide later (U)", self.reopen)
        self.above_button = self._button(
            "Accept to here",
            "Accept the open jumps from the first down to the selected one (Shift+A)",
            self.accept_above,
        )
        for button in (self.accept_button, self.refuse_button, self.reopen_button, self.above_button):
            bar.addWidget(button)
        bar.addWidget(self.go_on)
        return bar

    def _button(self, text: str, tip: str, slot: Any) -> QPushButton:
        button = QPushButton(text)
        button.setToolTip(tip)
        button.clicked.connect(slot)
        return button

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the theme's colours."""
        self.model.warning = theme.warning
        self.table.viewport().update()

    # showing -----------------------------------------------------------------------------------------------------

    @property
    def session(self) -> RepairSession | None:
        """The repair shown."""
        session = self._desk.repair
        return session if isinstance(session, RepairSession) else None

    @property
    def current(self) -> JumpRow | None:
        """The jump shown before and after."""
        at = self.model.position(self._key)
        return None if at is None else self.model.rows[at]

    @property
    def chosen(self) -> list[JumpRow]:
        """The selected jumps."""
        rows = sorted(index.row() for index in self.table.selectionModel().selectedRows())
        return [self.model.rows[row] for row in rows]

    def refresh(self) -> None:
        """Show the session's jumps as they are now."""
        session = self.session
        jumps = session.jumps if session is not None else None
        self._quiet = True
        self.model.show(jumps.rows if jumps is not None else ())
        self._mark_current()
        self._quiet = False
        if session is not None:
            self.thresholds.set_values(session.min_dz_um, session.min_slope)
        self.summary.setText(_summary(session))
        self._enable()

    def _mark_current(self) -> None:
        at = self.model.position(self._key)
        if at is None:
            self._key = None
            return
        if at not in {index.row() for index in self.table.selectionModel().selectedRows()}:
            self._select_row(at)

    def _select_row(self, at: int) -> None:
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.table.selectionModel().setCurrentIndex(self.model.index(at, 0), flags)
        self.table.scrollTo(self.model.index(at, 0))

    def _enable(self) -> None:
        row = self.current
        n_open = len(self.session.jumps.open_rows) if self.session is not None else 0
        usable = row is not None and not row.is_gone
        for button in (self.accept_button, self.refuse_button, self.reopen_button, self.above_button):
            button.setEnabled(usable)
        self.modes.show_mode(None if row is None else row.mode, usable=usable, n_open=n_open)

    def select(self, key: JumpKey | None) -> None:
        """Make a jump the current one."""
        at = self.model.position(key)
        if at is None:
            self._key = None
            self.table.clearSelection()
            self._on_table_selected()
        else:
            self._select_row(at)

    def _on_table_selected(self, *_: Any) -> None:
        if self._quiet:
            return
        index = self.table.selectionModel().currentIndex()
        chosen = self.chosen
        row = self.model.rows[index.row()] if index.isValid() and index.row() < len(self.model.rows) else None
        self._key = row.key if row is not None and row in chosen else (chosen[0].key if chosen else None)
        self._enable()
        self.selected.emit()

    def _on_thresholds_changed(self) -> None:
        if not self._thresholds_wait.isActive():
            self._thresholds_wait.start(0)

    def _on_thresholds_settled(self) -> None:
        if self.session is not None:
            self.session.set_thresholds(*self.thresholds.values)

    # deciding ----------------------------------------------------------------------------------------------------

    def _decide(self, rows: list[JumpRow], state: JumpState | None, mode: str | None = None) -> bool:
        session = self.session
        rows = [row for row in rows if not row.is_gone]
        if session is None or not rows:
            return False
        before = session.neuron
        done = bool(self._desk.attempt(lambda: session.decide(rows, state, mode)))
        if done and (warning := warn_of_depth(before, session.neuron)):
            self._desk.say(warning)
        return done

    def accept(self) -> None:
        """Accept the selected jumps."""
        self._decide_and_go_on("accepted")

    def refuse(self) -> None:
        """Refuse the selected jumps."""
        self._decide_and_go_on("refused")

    def _decide_and_go_on(self, state: JumpState) -> None:
        rows = self.chosen
        with self._desk.picture.held():
            if self._decide(rows, state) and self.go_on.isChecked() and len(rows) == 1:
                self.next_open()

    def reopen(self) -> None:
        """Leave the selected jumps open again."""
        self._decide(self.chosen, "proposed")

    def accept_above(self) -> None:
        """Accept the open jumps from the first to the current one."""
        at = self.model.position(self._key)
        if at is not None:
            self._decide([row for row in self.model.rows[: at + 1] if row.is_open], "accepted")

    def accept_all(self) -> None:
        """Accept every open jump listed."""
        self._decide([row for row in self.model.rows if row.is_open], "accepted")

    def refuse_all(self) -> None:
        """Refuse every open jump listed."""
        self._decide([row for row in self.model.rows if row.is_open], "refused")

    def refuse_steep(self) -> None:
        """Refuse the open jumps beside which the neurite is steep anyway."""
        self._decide([row for row in self.model.rows if row.is_open and row.jump.steep_beside], "refused")

    def set_mode(self, mode: str) -> None:
        """Choose how the selected jumps are mended."""
        self._decide(self.chosen, None, mode)
        self._enable()

    def step(self, by: int) -> None:
        """Go to the jump ``by`` lines further on."""
        if not self.model.rows:
            return
        at = self.model.position(self._key)
        at = (0 if by > 0 else len(self.model.rows) - 1) if at is None else at + by
        self._select_row(min(max(at, 0), len(self.model.rows) - 1))

    def next_open(self) -> None:
        """Go to the next jump that waits for a decision; stay if there is none."""
        at = self.model.position(self._key) or 0
        order = [*range(at + 1, len(self.model.rows)), *range(at + 1)]
        found = next((i for i in order if i < len(self.model.rows) and self.model.rows[i].is_open), None)
        if found is not None:
            self._select_row(found)


def _summary(session: RepairSession | None) -> str:
    if session is None:
        return ""
    jumps = session.jumps
    left_out = sum(bool(row.left_out) and row.state == "proposed" for row in jumps.rows)
    parts = [f"{len(jumps.open_rows) + jumps.n_hidden:,} open"]
    parts += [f"{n} {state}" for state in ("accepted", "refused") if (n := jumps.count(state))]
    parts += [f"{left_out} left out"] if left_out else []
    text = ", ".join(parts)
    return f"{text} (the {len(jumps.rows):,} tallest are listed)" if jumps.n_hidden else text
