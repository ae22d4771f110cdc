"""XGBoost's prediction of a table of rows, without the Python that stands before it.

`Booster.inplace_predict` finds out anew what kind of table it was given, tells the library what is wanted of it, and
dresses up the answer: for a row alone, that takes longer than the trees. What is called in the end is one function of
the library's C interface, `XGBoosterPredictFromDense`; it is called here, with what is wanted said once. The bits are
the same.
"""

from __future__ import annotations

import ctypes
import json
import math
import weakref
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
#: As `inplace_predict` says it: what the model gives, of these rounds of trees; NaN is a missing value.
_WANTED = {"type": 0, "training": False, "missing": math.nan, "strict_shape": False, "cache_id": 0}


class InPlace:
    """One booster's predictions; `rounds` are the first round and the one after the last, both 0 for all of them."""

    def __init__(self, library: Any, booster: Any, rounds: tuple[int, int]) -> None:
        self._booster = booster
        self._error = library.core.XGBoostError
        # The same file that the package has open: the booster's handle is good in it.
        self._native = ctypes.CDLL(library.libpath.find_lib_path()[0])
        self._native.XGBGetLastError.restype = ctypes.c_char_p
        # Where none is given, the library makes one for each call, and asks the system for its cores to do so.
        self._table = ctypes.c_void_p()
        self._check(self._native.XGProxyDMatrixCreate(ctypes.byref(self._table)))
        weakref.finalize(self, self._native.XGDMatrixFree, self._table)
        self._wanted = json.dumps({**_WANTED, "iteration_begin": rounds[0], "iteration_end": rounds[1]}).encode()
        self._shape, self._dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        self._found = ctypes.POINTER(ctypes.c_float)()
        self._out = [ctypes.byref(place) for place in (self._shape, self._dimensions, self._found)]

    def predict(self, rows: Floats) -> Floats:
        """What is predicted of each row, of which `rows` has at least one, in C order. Raises the library's error."""
        table = b'{"data":[%d,true],"shape":[%d,%d],"typestr":"%b","version":3}' % (
            rows.__array_interface__["data"][0],
            *rows.shape,
            rows.dtype.str.encode(),
        )
        predict = self._native.XGBoosterPredictFromDense
        self._check(predict(self._booster.handle, table, self._wanted, self._table, *self._out))
        shape = self._shape[: self._dimensions.value]
        # The library writes its next answer to the same place.
        return np.frombuffer(ctypes.string_at(self._found, 4 * math.prod(shape)), np.float32).reshape(shape)

    def _check(self, status: int) -> None:
        if status:
            raise self._error(self._native.XGBGetLastError().decode("utf-8", "replace"))
