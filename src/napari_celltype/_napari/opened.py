"""Where a reader leaves what it has read until the viewer's session takes it: layers carry only an id.

napari's readers return arrays and know no viewer, so the recording or neuron behind them has to wait somewhere for the
moment its layers arrive. Whatever a session has taken is found here as long as the session keeps it.
"""

from __future__ import annotations

from collections import deque
from weakref import WeakValueDictionary

from napari_celltype.workbench import Item
from napari_celltype.workbench.document import Value, new_id

__all__ = ["find", "hand_over", "take"]

_waiting: deque[Value] = deque(maxlen=64)
"""Keeps the newest values alive until they are taken; older ones nobody fetched are let go."""
_by_id: WeakValueDictionary[str, Value] = WeakValueDictionary()


def hand_over(value: Value) -> Item:
    """Keep a value for the session that will get its layers; the item's id goes into the layers."""
    item = Item.holding(value, new_id())
    _by_id[item.id] = value
    _waiting.append(value)
    return item


def take(item_id: str) -> Value | None:
    """The value a reader left under this id; the caller keeps it alive from now on."""
    value = _by_id.get(item_id)
    if value is not None and any(value is waiting for waiting in _waiting):
        _waiting.remove(value)
    return value


def find(item_id: str) -> Value | None:
    """The value read under this id, if anybody still holds it."""
    return _by_id.get(item_id)
