"""The kinds of sections that a data set may have, one file each; ``table.py`` lists them."""
