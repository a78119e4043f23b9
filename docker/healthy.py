"""``python healthy.py URL``: exit 0 when it answers 200 and says nothing bad of itself.

Health checks in an image without curl.
"""

import json
import sys
from urllib.request import urlopen

with urlopen(sys.argv[1], timeout=4) as answer:  # noqa: S310 (an address from docker-compose.yaml)
    body = answer.read()

# Airflow's API server answers 200 with the UI's page on unknown paths, so a body has to be JSON.
# Of what it reports there, only the database is its own affair. The scheduler sends no body.
health = json.loads(body or b"{}")
database = health.get("metadatabase", {}).get("status", "healthy")
sys.exit(0 if database == "healthy" else f"The metadata database is {database}.")
