"""Code concerned with solving many small symmetric systems: the normal equations of a ridge regression per sensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dposv

from models.panel import Values


def solved(gram: Values, right: NDArray[np.floating[Any]]) -> Values:
    """Solutions of gram x = right by Cholesky, in half the time of `numpy.linalg.solve`, which takes what Cholesky can not.

    Args:
        gram: symmetric matrices (… x features x features), of which one triangle is looked at.
        right: right sides (… x features x leads).

    Raises:
        numpy.linalg.LinAlgError: a matrix is singular.

    """
    features, leads = right.shape[-2:]
    found = np.array(np.swapaxes(right, -1, -2), dtype=np.float64, order="C").reshape(-1, leads, features)
    for matrix, side in zip(gram.reshape(-1, features, features), found, strict=True):
        _, _, refused = dposv(matrix.T, side.T, overwrite_b=True)
        if refused:
            side[:] = np.linalg.solve(matrix, side.T).T
    return np.swapaxes(found.reshape(*right.shape[:-2], leads, features), -1, -2)
