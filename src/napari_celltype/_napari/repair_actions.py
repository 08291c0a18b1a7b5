"""What the repair dock does when a key is pressed: a method for each, under the names in :mod:`.repair_keys`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari_celltype.errors import CelltypeError
from napari_celltype.workbench.repair_session import RepairSession

__all__ = ["RepairActions"]


class RepairActions:
    """The dock's part that acts; it leaves deciding to the tab of jumps, saving to the bar of files."""

    repair: RepairSession | None
    banner: Any
    question: Any
    jumps: Any
    files: Any
    picture: Any

    def attempt(self, action: Callable[[], object]) -> bool:
        """Do something; if it cannot be done, say why in a sentence."""
        try:
            action()
        except CelltypeError as error:
            self.say(str(error))
            return False
        self.say("")
        return True

    def say(self, sentence: str, *, good: bool = False) -> None:
        """Say something in the dock."""
        self.banner.say(sentence, good=good)

    def ask(self, text: str, answers: Sequence[tuple[str, Callable[[], None]]]) -> None:
        """Ask something in the dock."""
        self.question.ask(text, answers)

    def undo(self) -> None:
        """Take back the newest step."""
        if self.repair is not None:
            self.attempt(self.repair.undo)

    def redo(self) -> None:
        """Do again what was taken back."""
        if self.repair is not None:
            self.attempt(self.repair.redo)

    def accept(self) -> None:
        """Accept the selected jumps."""
        self.jumps.accept()

    def refuse(self) -> None:
        """Refuse the selected jumps."""
        self.jumps.refuse()

    def reopen(self) -> None:
        """Leave the selected jumps open."""
        self.jumps.reopen()

    def accept_above(self) -> None:
        """Accept all down to the selected jump."""
        self.jumps.accept_above()

    def mode_align(self) -> None:
        """Mend by shifting all downstream."""
        self.jumps.set_mode("align")

    def mode_split(self) -> None:
        """Mend by spreading over the section."""
        self.jumps.set_mode("split")

    def mode_tilt(self) -> None:
        """Mend by tilting the section."""
        self.jumps.set_mode("tilt")

    def mode_cut(self) -> None:
        """Mend by cutting."""
        self.jumps.set_mode("cut")

    def next_jump(self) -> None:
        """Go to the next jump."""
        self.jumps.step(1)

    def previous_jump(self) -> None:
        """Go to the previous jump."""
        self.jumps.step(-1)

    def fly_again(self) -> None:
        """Fly to the selected jump again."""
        self.picture.draw(fly=True)

    def save(self) -> None:
        """Save the repaired neuron."""
        self.files.save()

    def next_file(self) -> None:
        """Go on to the next file of the folder."""
        self.files.next_file()
