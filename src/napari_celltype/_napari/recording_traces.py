"""The right side of the Recording dock: problems, traces with their spikes marked, or a sentence in their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QStackedLayout, QVBoxLayout, QWidget

from napari_celltype.recording import Recording
from napari_celltype.workbench.classify_facts import SweepFacts

from .plots.spike_marks import Peaks, SpikeMarks
from .plots.theme import PlotTheme
from .plots.trace_view import Trace, TraceView
from .problem_banner import ProblemBanner
from .trace_loader import LoadedSweep

__all__ = ["TracePane"]


class TracePane(QWidget):
    """Shows the sweeps it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.traces = TraceView()
        self.traces.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.marks = SpikeMarks(self.traces)
        self.banner = ProblemBanner()
        self.message = QLabel()
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.message.setWordWrap(True)
        plots = QWidget()
        self.stack = QStackedLayout(plots)
        self.stack.addWidget(self.traces)
        self.stack.addWidget(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.banner)
        column.addWidget(plots, 1)
        self._keep_range = False

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self.traces.apply_theme(theme)
        self.banner.apply_theme(theme)

    def clear(self) -> None:
        """Show nothing; what comes next is shown from its beginning."""
        self.traces.show_traces([])
        self.marks.show([])
        self.banner.show_problems([])
        self._keep_range = False

    def say(self, text: str) -> None:
        """A sentence instead of the traces."""
        self.message.setText(text)
        self.stack.setCurrentWidget(self.message)

    def warn(self, text: str) -> None:
        """A sentence among the problems, if traces are shown already; else instead of them."""
        if self.stack.currentWidget() is self.message:
            self.say(text)
        else:
            self.banner.show_problems([*self.banner.problems, text])

    def show_sweeps(self, recording: Recording, loaded: Sequence[LoadedSweep], colours: Mapping[int, str]) -> None:
        """Draw sweeps over each other; the stretch of time in view stays where sweeps are as long as those before."""
        traces = [_trace(recording, sweep, colours[sweep.index]) for sweep in loaded]
        longest = max(trace.duration_s for trace in traces)
        same_length = bool(self.traces.traces) and abs(self.traces.duration_s - longest) < 1e-9
        clamped = all(recording.sweeps[sweep.index].clamp == "voltage" for sweep in loaded)
        self.traces.show_traces(traces, voltage_on_top=not clamped, keep_range=self._keep_range and same_length)
        self._keep_range = True
        if all(trace.voltage_mv is None and trace.current_pa is None for trace in traces):
            self.say("The selected sweeps hold no values.")
        else:
            self.stack.setCurrentWidget(self.traces)

    def mark_spikes(self, facts: Mapping[int, SweepFacts], colours: Mapping[int, str]) -> None:
        """Mark the action potentials of the sweeps that have a colour."""
        peaks = []
        for index, colour in colours.items():
            known = facts.get(index)
            if known is not None and known.peak_s is not None and known.peak_mv is not None:
                peaks.append(Peaks(known.peak_s, known.peak_mv, colour))
        self.marks.show(peaks)


def _trace(recording: Recording, loaded: LoadedSweep, colour: str) -> Trace:
    sweep = recording.sweeps[loaded.index]
    return Trace(
        str(sweep.number), colour, sweep.rate_hz, max(loaded.n_samples, 1), loaded.voltage_mv, loaded.current_pa
    )
