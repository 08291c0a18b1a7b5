"""The plot kit."""
