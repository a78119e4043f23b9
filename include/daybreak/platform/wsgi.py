"""``gunicorn --config python:daybreak.serving.gunicorn_conf daybreak.platform.wsgi:app``.

Where the service is put together, as the plugin does it in Airflow: the page is given what may be
done from it, so that serving knows no jobs.
"""

from __future__ import annotations

from daybreak.jobs.by_hand import ByHand
from daybreak.runtime import get_runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys
from daybreak.serving.page.frame import Page
from daybreak.serving.page.sessions import Sessions

runtime = get_runtime("service")
keys = ApiKeys(runtime)
page = Page(Sessions(runtime, keys), ByHand(), runtime.settings.airflow_url)
app = create_app(runtime, authenticator=keys, page=page)
