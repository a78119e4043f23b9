"""What answers where nothing may be learned from: every price stays."""

KEEP = "keep"
FORMULAS = (KEEP,)
