"""Makes the toy the only model of a process that has this folder on its path."""

from daybreak import models

models.MODELS.clear()
models.MODELS["toy"] = "toy"
