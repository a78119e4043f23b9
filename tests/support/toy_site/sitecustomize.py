"""Makes the toy the only model of a process that has this folder on its path."""

from importlib.metadata import EntryPoint

from daybreak import models

_FOUND = {models.GROUP: "toy:MODEL", models.SCHEDULES: "daybreak.models.schedule:DAILY"}

models._installed = lambda group=models.GROUP: {"toy": EntryPoint("toy", _FOUND[group], group)}
