"""How good forecasts and lists are, over many shops, beside the usual methods.

``outside`` runs in the environment of the other methods, where Daybreak is not installed; so it and
what it imports (``known``, ``past``) never import the package.
"""
