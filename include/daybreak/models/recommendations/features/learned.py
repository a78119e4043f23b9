"""The learned part of a version beside its trees: which items go with which.

Everything is plain arrays under the version's sha256. What a source learned of items is kept as
the strongest neighbours of each item, so that scoring is a product of sparse matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from daybreak.errors import ArtifactAltered
from daybreak.facts.names import place_of
from daybreak.models.arrays import from_names, pack, to_names, unpack
from daybreak.models.recommendations.features.catalogue import SPANS, USUAL_SPAN, Catalogue
from daybreak.models.recommendations.features.cells import offsets_of

NEIGHBOURS = ("bm25", "basket", "ease")
"""Item-item matrices: bought by the same users, in the same baskets, and by the same users again as
EASE weighs it: what an item adds to the others of a user."""
LEARNED_STATISTICS = ("item_rebought", "item_users")
FILE = "neighbours.npz"
_PARTS = ("indptr", "indices", "data")


@dataclass(frozen=True)
class Learned:
    """``N`` items of the training data.

    ``item_id``: object (N,), in bytewise order.
    ``neighbours``: float32 CSR (N, N) by name of ``NEIGHBOURS``; row i holds what goes with i.
    ``statistics``: float32 (N, len(LEARNED_STATISTICS)).
    ``popular_days``: what is popular is what was bought in so many days; one of ``SPANS``.
    """

    item_id: NDArray[np.object_]
    neighbours: Mapping[str, sparse.csr_matrix]
    statistics: NDArray[np.float32]
    popular_days: int = USUAL_SPAN

    def to_bytes(self) -> bytes:
        """The file of the version; equal contents, equal bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "item_id": from_names(self.item_id),
            "statistics": self.statistics,
            "popular_days": np.array(self.popular_days),
        }
        for name, matrix in self.neighbours.items():
            arrays[f"{name}.indptr"] = matrix.indptr.astype(np.int64)
            arrays[f"{name}.indices"] = matrix.indices.astype(np.int32)
            arrays[f"{name}.data"] = matrix.data.astype(np.float32)
        return pack(arrays)

    @classmethod
    def from_bytes(cls, content: bytes) -> Learned:
        """What ``to_bytes`` wrote. Raises ``ArtifactAltered`` where an array is missing."""
        arrays = unpack(content)
        parts = [f"{name}.{part}" for name in NEIGHBOURS for part in _PARTS]
        needed = ("item_id", "statistics", "popular_days", *parts)
        missing = [name for name in needed if name not in arrays]
        if missing:
            raise ArtifactAltered(
                f"{FILE} has no array {missing[0]}.",
                remedy="Restore the version's folder from a backup, or train again.",
                file=FILE,
            )
        item_id = to_names(arrays["item_id"])
        size = len(item_id)
        try:
            neighbours = {name: _matrix(arrays, name, size) for name in NEIGHBOURS}
        except ValueError as error:
            raise ArtifactAltered(
                f"{FILE} holds no matrix of its {size} items: {error}.",
                remedy="Restore the version's folder from a backup, or train again.",
                file=FILE,
            ) from error
        popular_days = int(arrays["popular_days"])
        if popular_days not in SPANS:
            raise ArtifactAltered(
                f"{FILE} says that popular is what was bought in {popular_days} days; those of "
                f"{', '.join(map(str, SPANS))} are counted.",
                remedy="Restore the version's folder from a backup, or train again.",
                file=FILE,
            )
        return cls(item_id, neighbours, arrays["statistics"], popular_days)


def _matrix(arrays: Mapping[str, NDArray[Any]], name: str, size: int) -> sparse.csr_matrix:
    """Raises ``ValueError`` for places outside it: SciPy's C++ code would read there unchecked."""
    data, indices, indptr = (arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    matrix = sparse.csr_matrix((data, indices, indptr), shape=(size, size))
    matrix.check_format(full_check=True)
    return matrix


@dataclass(frozen=True)
class OnTheDay:
    """``Learned`` by the ordinals of a day's catalogue of N items.

    ``neighbours``: float64 CSR (N, N), whose values float32 can hold; only eligible items are
    named. ``incoming``: the same transposed, row i holds what leads to i. ``statistics``:
    float32 (N, len(LEARNED_STATISTICS)), NaN for items that are new. ``popular_days`` as in
    ``Learned``.
    """

    neighbours: Mapping[str, sparse.csr_matrix]
    incoming: Mapping[str, sparse.csr_matrix]
    statistics: NDArray[np.float32]
    popular_days: int = USUAL_SPAN


def on_the_day(learned: Learned, catalogue: Catalogue) -> OnTheDay:
    """Made once a day and version. Items that either side does not know are left out."""
    count = len(catalogue)
    place, known = place_of(learned.item_id, catalogue.item_id)
    statistics = np.full((count, len(LEARNED_STATISTICS)), np.nan, np.float32)
    statistics[place[known]] = learned.statistics[known]
    neighbours = {
        name: _renumbered(matrix, place, known, catalogue)
        for name, matrix in learned.neighbours.items()
    }
    incoming = {name: matrix.T.tocsr() for name, matrix in neighbours.items()}
    return OnTheDay(neighbours, incoming, statistics, learned.popular_days)


def _renumbered(
    matrix: sparse.csr_matrix,
    place: NDArray[np.int64],
    known: NDArray[np.bool_],
    catalogue: Catalogue,
) -> sparse.csr_matrix:
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    column = matrix.indices
    kept = known[row] & known[column]
    kept[kept] = catalogue.eligible[place[column[kept]]]
    count = len(catalogue)
    # Both catalogues are in bytewise order, so rows and columns stay ascending.
    offsets = offsets_of(place[row[kept]], count)
    found = sparse.csr_matrix(
        (matrix.data[kept].astype(np.float64), place[column[kept]], offsets), shape=(count, count)
    )
    found.sort_indices()
    return found
