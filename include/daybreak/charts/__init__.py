"""Figures of Plotly with their tables, and HTML that carries all it needs. Knows no warehouse."""
