"""Files in and out: a path becomes a Recording or a Neuron."""
