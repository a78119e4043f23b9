"""How fraud is learned and judged. Imported by nothing that scores or serves."""
