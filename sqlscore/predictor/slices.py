"""A session that takes rows in slices, of a size at which no row's bits depend on its neighbours.

`session/company.py` says which sizes those are; on a device they are as large as it has room for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sqlscore.elements import DTYPES
from sqlscore.errors import ModelError, ProviderError
from sqlscore.predictor.constants import constants_of
from sqlscore.predictor.device import Room
from sqlscore.predictor.kernels import company_of
from sqlscore.predictor.nonfinite import unusual
from sqlscore.predictor.tensors import matrix, sliced
from sqlscore.session import DeviceFull, Session
from sqlscore.session.company import padded, rows_at_once, rows_to_run
from sqlscore.session.outputs import refuse_other_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlscore.session import Fed
    from sqlscore.session.fixed import Fixed
    from sqlscore.signature import Signature


class Slices:
    """A loaded graph; may be called by several threads at once."""

    def __init__(
        self,
        model: bytes,
        signature: Signature,
        *,
        provider: str,
        options: Mapping[str, str] | None,
        threads: int,
        rowwise: bool,
        constants: Mapping[str, Any],
    ) -> None:
        """Load a graph's bytes; the arguments are those of `Predictor`."""
        self._signature = signature
        self._constants = constants_of(signature, constants)
        self._session = Session(model, provider=provider, options=options, threads=threads)
        #: where it runs on a device, in batches
        self._room = Room(self._session.memory) if self.device and not rowwise else None
        inputs = {one.name for one in signature.inputs}
        self._outputs = {one.name: one for one in signature.outputs}
        self._wanted = list(dict.fromkeys(p.output for p in signature.predictions))
        self._unused = [one for one in self._session.inputs if one.name not in inputs]
        self._rowwise = rowwise
        self._company = company_of(model)

    @property
    def device(self) -> bool:
        """Whether it runs on a device, which larger batches keep busy."""
        return self._session.device

    def run(self, arrays: Sequence[np.ndarray], rows: int) -> tuple[dict[str, Any], set[str]]:
        """The outputs of all rows, and the inputs that were not finite somewhere."""
        step = self._rows_at_once(arrays)
        whole: dict[str, np.ndarray] = {}
        suspects: set[str] = set()
        start = 0
        while start < rows:
            stop = min(start + step, rows)
            with np.errstate(over="ignore", invalid="ignore"):
                feeds = sliced(arrays, self._signature, start, stop)
            suspects.update(name for name, tensor in feeds.items() if unusual(tensor))
            try:
                found = self.outputs(feeds, stop - start, alone=step == 1)
            except DeviceFull as error:
                step = self._fewer(stop - start, error)
                continue
            for name, value in found.items():
                if stop - start == rows:
                    whole[name] = value
                else:
                    _put(whole, name, value, start, rows)
            start = stop
        return whole, suspects

    def _fewer(self, rows: int, error: DeviceFull) -> int:
        """How many rows to try where so many were too many; a single row is the last."""
        if rows == 1 or self._room is None:
            raise ProviderError(f"{error}. A single row needs more than there is") from error
        return self._room.was_full(rows)

    def _rows_at_once(self, arrays: Sequence[np.ndarray]) -> int:
        width = sum(array.nbytes // len(array) for array in arrays if array.ndim > 1)
        if self._room is not None:
            return self._room.rows(width)
        return 1 if self._rowwise else rows_at_once(width, company=self._company)

    def outputs(
        self, feeds: dict[str, np.ndarray], rows: int, *, alone: bool = False
    ) -> dict[str, np.ndarray]:
        """The outputs of some rows' tensors, as arrays with the rows first; `alone` unpadded."""
        run = rows if alone or self._rowwise else rows_to_run(rows, company=self._company)
        found = self._session.run(self._complete(feeds, rows, run), self._wanted)
        outputs = {name: matrix(value, self._outputs[name]) for name, value in found.items()}
        for name, array in outputs.items():
            refuse_other_rows(name, array, run)
        return outputs if run == rows else {name: a[:rows] for name, a in outputs.items()}

    def fixed(self, feeds: dict[str, np.ndarray], output: str) -> Fixed | None:
        """A run of one row, of tensors like these, that gives one output; see `Session.fixed`."""
        run = 1 if self._rowwise else rows_to_run(1, company=self._company)
        return self._session.fixed(self._complete(feeds, 1, run), output)

    def _complete(self, feeds: dict[str, np.ndarray], rows: int, run: int) -> dict[str, np.ndarray]:
        """All that the session is fed, padded to the rows of a run."""
        zeros = {one.name: _zeros(one, run) for one in self._unused}
        return {**padded(feeds, run - rows), **self._constants, **zeros}


def _put(whole: dict[str, np.ndarray], name: str, array: np.ndarray, start: int, rows: int) -> None:
    """Copy a slice's output to its place; at once, for it may share memory with the input."""
    if name not in whole:
        whole[name] = np.empty((rows, *array.shape[1:]), array.dtype)
    if array.shape[1:] != whole[name].shape[1:]:
        raise ModelError(
            f"the output {name!r} has rows of the shape {array.shape[1:]} and of the shape "
            f"{whole[name].shape[1:]}, so no column can hold it. Leave it out: drop=[{name!r}]"
        )
    whole[name][start : start + len(array)] = array


def _zeros(one: Fed, rows: int) -> np.ndarray:
    """A value for an input that nothing in the graph looks at."""
    shape = [rows if i == 0 and d is None else d or 1 for i, d in enumerate(one.shape)]
    return np.full(shape, "" if one.element == "string" else 0, DTYPES[one.element])
