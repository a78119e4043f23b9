"""Which price each offer gets, of all that the rules leave, and why it is not another."""
