"""Numbers from a recording: stimuli, spikes, windows, features."""
