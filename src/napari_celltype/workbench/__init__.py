"""The document a person works on, without any toolkit."""
