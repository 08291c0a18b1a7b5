"""Plots of one look: colours, theme, and the curves that stay quick at any length."""
