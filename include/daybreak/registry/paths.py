"""Which paths a store accepts: a few plain segments below its root, and nothing else."""

from __future__ import annotations

import re

from daybreak.errors import InvalidRequest

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def checked_path(path: str) -> str:
    """Return ``path`` if it is made of plain segments such as ``model/version/model.ubj``.

    A segment starts with a letter or digit, so that ``..``, an absolute path, a hidden file, a
    drive or an empty segment cannot be written or read. Raises ``InvalidRequest``.
    """
    if not all(_SEGMENT.fullmatch(segment) for segment in path.split("/")):
        raise InvalidRequest(
            f"{path!r} is not a path in the registry.",
            remedy="Use letters, digits, '.', '_' and '-', in segments parted by '/'.",
            field="path",
        )
    return path
