"""The experiments behind the bundled models, as recipes anyone can run again."""
