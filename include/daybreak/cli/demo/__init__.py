"""`daybreak demo`: two weeks of business days from nothing, and what they show.

The one package beside ``models`` that names models. It shows those that ship here, by their own
report views, request fields and measures, which follow from none of their facets. A facet for it
would be a page of output with the demo as its only caller, and one more for outside models to know.
"""
