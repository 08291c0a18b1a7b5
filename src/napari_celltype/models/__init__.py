"""The catalogue of models and what they predict."""
