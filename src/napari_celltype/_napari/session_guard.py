"""Nothing is lost when the window closes: whoever closes it is asked, and what nobody was asked about is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QMainWindow, QMessageBox

from .session import Session
from .session_keeper import SessionKeeper, keeper_of

__all__ = ["CloseGuard", "ask_to_save", "guard_window"]

Answer = Literal["save", "discard", "cancel"]


def guard_window(session: Session, window: QMainWindow) -> CloseGuard:
    """Guard a window, once; saved sessions are found from now on."""
    keeper = keeper_of(session)
    found = window.findChild(CloseGuard)
    return found if found is not None else CloseGuard(keeper, window)


class CloseGuard(QObject):
    """Asks when the user closes the window with something unsaved.

    A window that is closed by the program (Quit in the menu is one) cannot ask: what would be lost is put into the
    program's own folder then, and is back when the recording is opened again.
    """

    def __init__(self, keeper: SessionKeeper, window: QMainWindow) -> None:
        super().__init__(window)
        self.keeper = keeper
        self.ask: Callable[[QMainWindow, list[str]], Answer] = ask_to_save
        self._is_decided = False
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hold a close up until it is decided what becomes of the work."""
        if event.type() == QEvent.Type.Close and isinstance(watched, QMainWindow) and not self._is_decided:
            return self._on_close(watched, event)
        return False

    def _on_close(self, window: QMainWindow, event: QEvent) -> bool:
        keeper = self.keeper
        unsaved = keeper.unsaved
        if not unsaved:
            return False
        if not event.spontaneous():
            keeper.rescue()
            return False
        answer = self.ask(window, [keeper.document[item_id].name for item_id in unsaved])
        stays = answer == "cancel" or (answer == "save" and not keeper.save_at_once())
        if stays:
            event.ignore()
            return True
        self._is_decided = True
        return False


def ask_to_save(window: QMainWindow, names: list[str]) -> Answer:
    """Ask whether to save the sessions of these recordings."""
    some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    box = QMessageBox(window)
    box.setWindowTitle("Save the session?")
    box.setText(f"Windows, notes or accepted cells of {some} are not saved.")
    box.setInformativeText("They are saved beside each recording, which is left as it is.")
    buttons = QMessageBox.StandardButton
    box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)
    box.setDefaultButton(buttons.Save)
    answers: dict[int, Answer] = {int(buttons.Save.value): "save", int(buttons.Discard.value): "discard"}
    chosen = box.exec()
    box.deleteLater()
    return answers.get(int(chosen), "cancel")
