"""Work off the GUI thread: one job at a time for each purpose, the newest wins, and nothing stale is shown."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import create_worker

from napari_celltype.errors import CelltypeError

from .notices import report_error

__all__ = ["LatestJob"]

Steps = Generator[Any, None, None]


@dataclass(frozen=True)
class _Failure:
    message: str


class _Run:
    """One worker and whom to tell; it holds its listeners only until it is dropped."""

    def __init__(self, job: LatestJob, steps: Callable[..., Steps], args: tuple[Any, ...]) -> None:
        self._job: LatestJob | None = job
        self._worker = create_worker(_guarded, steps, args, _start_thread=False)
        self._worker.yielded.connect(self._on_worker_yielded)
        self._worker.finished.connect(self._on_worker_finished)

    def start(self) -> None:
        self._worker.start()

    def drop(self) -> None:
        """Ask the worker to stop at its next step and stop listening to it."""
        self._job = None
        self._worker.quit()

    def _on_worker_yielded(self, step: Any) -> None:
        if self._job is not None:
            self._job._on_run_step(step)

    def _on_worker_finished(self) -> None:
        if self._job is not None:
            self._job._on_run_finished()


def _guarded(steps: Callable[..., Steps], args: tuple[Any, ...]) -> Steps:
    """Turn expected failures into a step; anything else is a bug and napari shows it with its traceback."""
    try:
        yield from steps(*args)
    except (CelltypeError, OSError) as error:
        yield _Failure(str(error))


class LatestJob:
    """Runs a generator in a worker; starting it again abandons the run before.

    Parameters
    ----------
    on_step
        Called on the GUI thread with each value the generator yields.
    on_busy
        Called with True when work begins and False when it ends, however it ends.
    on_failed
        Called with a sentence if the work fails for a reason a user can understand; by default the user is notified.
    """

    def __init__(
        self,
        on_step: Callable[[Any], None],
        *,
        on_busy: Callable[[bool], None] | None = None,
        on_failed: Callable[[str], None] = report_error,
    ) -> None:
        self._on_step = on_step
        self._on_busy = on_busy
        self._on_failed = on_failed
        self._run: _Run | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a run is going on."""
        return self._run is not None

    def start(self, steps: Callable[..., Steps], *args: Any) -> None:
        """Begin; what the previous run still has to say is dropped."""
        if self._run is not None:
            self._run.drop()
        self._run = _Run(self, steps, args)
        self._tell_busy(True)
        self._run.start()

    def stop(self) -> None:
        """Abandon the run, if any."""
        if self._run is None:
            return
        self._run.drop()
        self._run = None
        self._tell_busy(False)

    def _tell_busy(self, busy: bool) -> None:
        if self._on_busy is not None:
            self._on_busy(busy)

    def _on_run_step(self, step: Any) -> None:
        if isinstance(step, _Failure):
            self._on_failed(step.message)
        else:
            self._on_step(step)

    def _on_run_finished(self) -> None:
        self._run = None
        self._tell_busy(False)
