"""What may outlive a dock and must not: whoever still listens, keys still bound, docks never torn down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psygnal import Signal, SignalInstance
from qtpy.QtWidgets import QWidget

from napari_celltype._napari import celltype_control, rig_actions, session_keeper, watch_control
from napari_celltype._napari.session import Session, sessions
from napari_celltype.workbench.selection import selected_cells_of

__all__ = ["bound_keys", "leaks_of", "listeners"]


def _owners(session: Session) -> Iterator[Any]:
    """Everything of a session that outlives docks and tells them things; nothing is made that is not there yet."""
    yield session.document
    yield session.document.history
    yield selected_cells_of(session.document)
    for kept in (celltype_control._controls, rig_actions._actions, session_keeper._keepers, watch_control._controls):
        found = kept.get(session)
        if found is not None:
            yield found
            cells = getattr(found, "cells", None)
            if cells is not None:
                yield cells
                yield cells.table
            watch = getattr(found, "watch", None)
            if watch is not None:
                yield watch


def _signals(owner: Any) -> Iterator[tuple[str, SignalInstance]]:
    for name in dir(type(owner)):
        if isinstance(getattr(type(owner), name, None), Signal):
            yield f"{type(owner).__name__}.{name}", getattr(owner, name)


def _emitters(session: Session) -> Iterator[tuple[str, Any]]:
    """Events of the viewer that docks connect to."""
    viewer = session.viewer
    groups = {"viewer": viewer.events, "layers": viewer.layers.events, "selection": viewer.layers.selection.events}
    for group, events in groups.items():
        for name, emitter in events.emitters.items() if hasattr(events, "emitters") else ():
            yield f"{group}.{name}", emitter


def _callbacks(emitter: Any) -> list[Any]:
    """Bound methods connected to a napari event, as far as their owners still live."""
    found = []
    for callback in emitter.callbacks:
        if isinstance(callback, tuple):
            owner = callback[0]()
            found.append(getattr(owner, callback[1], None) if owner is not None else None)
        else:
            found.append(callback)
    return [callback for callback in found if callback is not None]


def _slots(signal: SignalInstance) -> list[Any]:
    return [slot for slot in (callback.dereference() for callback in signal._slots) if slot is not None]


def listeners(session: Session) -> dict[str, int]:
    """How many listen to each signal and event."""
    counts = {
        name: len(_slots(signal)) for owner in _owners(session) for name, signal in _signals(owner) if _slots(signal)
    }
    return counts | {name: len(_callbacks(emitter)) for name, emitter in _emitters(session)}


def bound_keys(session: Session) -> set[str]:
    """Keys bound on the viewer."""
    return {str(key) for key in session.viewer.keymap}


def _widget_of(slot: Any) -> QWidget | None:
    owner = getattr(slot, "__self__", None)
    return owner if isinstance(owner, QWidget) else None


def leaks_of(torn_down: set[int]) -> list[str]:
    """Listeners that belong to widgets; ``torn_down`` are ids of docks that are gone. For the end of a test."""
    found = []
    for session in sessions():
        if not session.has_viewer:
            continue
        for owner in _owners(session):
            for name, signal in _signals(owner):
                found += [f"{name} → {slot.__qualname__}" for slot in _slots(signal) if _widget_of(slot) is not None]
        for name, emitter in _emitters(session):
            found += [
                f"{name} → {slot.__qualname__}" for slot in _callbacks(emitter) if id(_widget_of(slot)) in torn_down
            ]
        actions = rig_actions._actions.get(session)
        if actions is not None and (actions._users or actions._canvas._held):
            found.append(f"rig keys still bound for {actions._users}")
    return found
