"""What is open, what is current, and every change made to it: the document behind the docks, free of any toolkit."""

from .document import Document, Item
from .history import Choose, Edit, History, ReplaceValue

__all__ = ["Choose", "Document", "Edit", "History", "Item", "ReplaceValue"]
