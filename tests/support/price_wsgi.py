"""The pricing model under gunicorn, on a day that passes as fast as a test wants it to."""

import os

from daybreak.models import get_model
from daybreak.runtime import get_runtime, system_clock
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from fast_clock import FastClock

runtime = get_runtime("service")
runtime.clock = FastClock.from_text(os.environ["FAST_CLOCK"], system_clock)
app = create_app(runtime, authenticator=ApiKeys(runtime), models=[get_model("pricing")])
