"""What the repair dock shows of a neuron besides lists: rings, before and after, side view, the camera's way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from qtpy.QtCore import QTimer

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench import Item
from napari_celltype.workbench.repair_preview import Preview
from napari_celltype.workbench.repair_session import RepairSession

from .neuron_layers import SEGMENTS, ZYX
from .plots.palette import DEFECT_COLOURS
from .plots.theme import PlotTheme
from .repair_flight import Flight
from .repair_keys import CanvasKeys
from .repair_layers import RepairOverlay
from .repair_side_view import SideView, better_axis, reach_of
from .session import Session, layer_name

__all__ = ["RepairPicture"]


_DEPARTURE_MS = 60


class RepairPicture:
    """Draws one repair session over the neuron's layers and beside them.

    Parameters
    ----------
    session
        The viewer's session.
    desk
        The dock: has the keys' methods, ``jumps`` with the selected one, and says what is wrong.
    side_view
        Where the neurite is shown from the side.
    """

    def __init__(self, session: Session, desk: Any, side_view: SideView) -> None:
        self._session = session
        self._desk = desk
        self._side_view = side_view
        self._keys = CanvasKeys(session.viewer, desk)
        self.flight = Flight(session.viewer)
        self.overlay: RepairOverlay | None = None
        self._held = 0
        self._asked: set[str] = set()
        # what is flown to is drawn first: setting off at once would only delay it
        self._bound_for: Preview | None = None
        self._departure = QTimer()
        self._departure.setSingleShot(True)
        self._departure.setInterval(_DEPARTURE_MS)
        self._departure.timeout.connect(self._on_departure)

    @property
    def _repair(self) -> RepairSession | None:
        repair = self._desk.repair
        return repair if isinstance(repair, RepairSession) else None

    # coming and going --------------------------------------------------------------------------------------------

    def settle_in(self, item: Item, *, dark: bool) -> None:
        """Draw over the layers of a neuron, which are there by now, and listen to keys in the canvas."""
        self.overlay = RepairOverlay(self._session, item.id, layer_name(item.name), dark=dark)
        self.draw()
        self.hold_keys(item.id)

    def leave(self) -> None:
        """Take everything away that was drawn for a neuron, and give its keys back."""
        self._keys.release()
        self._departure.stop()
        self._bound_for = None
        self.flight.stop()
        if self.overlay is not None:
            self.overlay.close()
            self.overlay = None
        self._side_view.show_preview(None)

    def apply_theme(self, theme: PlotTheme) -> None:
        """Take on the colours of the theme."""
        self._side_view.apply_theme(theme)
        if self.overlay is not None:
            self.overlay.apply_theme(dark=theme.dark)

    def hold_keys(self, item_id: str, *, editing: bool = False) -> None:
        """Bind the keys in the canvas; while nodes are edited, their layer needs most of them for itself."""
        session = self._session
        ours = [layer for layer in session.layers_of(item_id) if layer is not session.nodes_layer(item_id)]
        self._keys.hold(ours, editing=editing)
        lines = [layer for layer in ours if layer.name.endswith(SEGMENTS)]
        if lines and not editing:
            session.viewer.layers.selection = {lines[0]}

    # drawing -----------------------------------------------------------------------------------------------------

    @contextmanager
    def held(self) -> Iterator[None]:
        """Draw once at the end, whatever is asked for meanwhile: accepting a jump and going on is one change."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                asked, self._asked = self._asked, set()
                if "preview" in asked:
                    self.draw(fly="fly" in asked)
                elif asked:
                    self.draw_jumps()

    def draw(self, *, fly: bool = False) -> None:
        """Show all jumps, and the selected one before and after; fly there if asked."""
        if self._held:
            self._asked |= {"preview", "fly"} if fly else {"preview"}
            return
        self.draw_jumps()
        preview = self._preview()
        if self.overlay is not None:
            self.overlay.show_preview(preview)
        self._side_view.show_preview(preview)
        if preview is not None and fly:
            if self.overlay is not None:
                self.overlay.show_place(None, preview.before, "")
            self._bound_for = preview
            if self.flight.animated:
                self._departure.start()
            else:
                self._on_departure()

    def draw_jumps(self) -> None:
        """Show a ring at each jump."""
        if self._held:
            self._asked.add("jumps")
        elif self.overlay is not None and self._repair is not None:
            self.overlay.show_jumps(self._repair.jumps.rows, self._repair.neuron, self._desk.jumps.current)

    def _preview(self) -> Preview | None:
        row, repair = self._desk.jumps.current, self._repair
        if row is None or repair is None or row.is_gone:
            return None
        try:
            return repair.preview(row)
        except CelltypeError as error:
            self._desk.say(str(error))
            return None

    # going there -------------------------------------------------------------------------------------------------

    def _on_departure(self) -> None:
        preview, self._bound_for = self._bound_for, None
        if preview is not None:
            self._fly_to(preview)

    def _fly_to(self, preview: Preview) -> None:
        row = int(preview.before.rows_of(preview.row.jump.node_id)[0])
        ends = np.stack([preview.before.xyz_um[row], preview.after.xyz_um[row]])
        centre = np.nanmean(ends, axis=0)
        across = self._side_view.across
        self.flight.fly_to(centre[ZYX], 2.0 * reach_of(preview), across if across in "xy" else "x")

    def go_to_nodes(self, node_ids: Sequence[int]) -> list[int]:
        """Fly to the first of these nodes that has a place; returns those that have one."""
        neuron = self._repair.neuron if self._repair is not None else None
        if neuron is None:
            return []
        rows = np.flatnonzero(np.isin(neuron.ids, list(node_ids)) & np.isfinite(neuron.xyz_um).all(axis=1))
        if not len(rows):
            self._desk.say("The node cannot be shown: it has no position, or is no longer there.")
            return []
        row = int(rows[0])
        self._departure.stop()
        if self.overlay is not None:
            self.overlay.show_place(neuron.xyz_um[row][ZYX], neuron, DEFECT_COLOURS["warning"])
        self.flight.fly_to(neuron.xyz_um[row][ZYX], 120.0, better_axis(neuron, row, 60.0))
        return [int(node_id) for node_id in neuron.ids[rows]]
