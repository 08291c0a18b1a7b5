"""The papers' experiments as recipes."""
