"""Numbers and edits of a neuron."""
