"""From a recording to numbers: stimuli, spikes, windows around action potentials, and the features of a cell."""
