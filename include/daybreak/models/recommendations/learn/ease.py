"""EASE: the linear model that predicts each item of a row from the row's other items.

Of all matrices B with a zero diagonal it is the one that minimises ``|X - XB|² + penalty |B|²``:
``B = I - P / diag(P)``, P the inverse of ``XᵀX + penalty I`` (Steck 2019, "Embarrassingly Shallow
Autoencoders for Sparse Data", equation 8). Where a cosine says that two items go together, it says
what one adds to all the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import lapack

from daybreak.models.base import Float32


def most_active(rows: sparse.csr_matrix, count: int) -> NDArray[np.int64]:
    """The ``count`` columns with the largest sums, ascending; none whose sum is 0."""
    activity = np.asarray(rows.sum(axis=0), np.float64).ravel()
    order = np.lexsort((np.arange(len(activity)), -activity))[:count]
    return np.sort(order[activity[order] > 0])


def ease(rows: sparse.csr_matrix, penalty: float) -> Float32:
    """Weights float32 (N, N) of ``rows`` (n, N): row i holds what item i adds to each other item.

    Needs the memory of two such matrices, and a time that grows with N³. ``penalty`` > 0.
    """
    gram: Float32 = (rows.T @ rows).toarray().astype(np.float32, order="F")
    gram[np.diag_indices(len(gram))] += np.float32(penalty)
    if not len(gram):
        return gram
    factor, failed = lapack.spotrf(gram, lower=1, overwrite_a=1)
    inverse, singular = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or singular:  # a positive penalty makes the matrix positive definite
        raise ValueError(f"no EASE weights by a penalty of {penalty}")
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices(len(weights))] = 0.0
    return np.asarray(weights, np.float32)
