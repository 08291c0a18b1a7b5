"""Everything that touches napari and Qt: readers, writers, layers, docks and plots. Nothing imports it back."""
