"""Programs that are no Python package, where they are installed."""

from __future__ import annotations

import os
import shutil

# Debian installs it where the PATH of users who are not root does not lead.
HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin")
CHROMIUM = shutil.which("chromium")
