"""The toy model under gunicorn, as daybreak.platform.wsgi serves the real ones."""

from daybreak.runtime import get_runtime
from daybreak.serving.app import create_app
from daybreak.serving.http.auth import ApiKeys, needs
from toy import TOY

runtime = get_runtime("service")
app = create_app(runtime, authenticator=ApiKeys(runtime), models=[TOY])


@app.get("/bare")
@needs("predict")
def bare() -> dict[str, str]:
    """What a Flask JSON route costs on this server without any of the work."""
    return {"status": "ok"}
