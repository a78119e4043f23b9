"""What each server runs, as its own documentation shows it, in an environment of its own.

``BOOSTER`` names the file of the booster. All answer ``{"prediction": ...}`` to ``{"features":
[...]}`` where the server leaves the form to them.
"""
