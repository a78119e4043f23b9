"""How good forecasts and lists are, over many shops, beside the usual methods.

Nothing here is imported for its side effects: ``known``, ``naives`` and ``outside`` need numpy and
pandas alone, because they also run in the environment of the other methods.
"""
