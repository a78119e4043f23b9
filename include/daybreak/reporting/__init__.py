"""Period reports: what a model said of a day, a week or a month, what came true, what it took.

A report is one HTML page that carries all it needs, and a Parquet file a table. Its numbers are
those of the views of ``report``, read in one transaction.
"""
