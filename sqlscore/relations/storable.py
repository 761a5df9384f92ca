"""Values that a product cannot hold, NaN and ±inf, as the NULLs that it holds in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from sqlscore.products.product import Product


def storable(batch: pa.RecordBatch, product: Product) -> pa.RecordBatch:
    """The batch with NULL in place of the NaN and ±inf that the product cannot hold."""
    if product.nan and product.infinity:
        return batch
    arrays = [_storable(array, product) for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _storable(array: pa.Array, product: Product) -> pa.Array:
    if not pa.types.is_floating(array.type):
        return array
    kept = pc.is_finite(array) if not product.infinity else pc.invert(pc.is_nan(array))
    if pc.all(kept).as_py() is not False:  # None: every value is NULL already
        return array
    return pc.if_else(kept, array, pa.nulls(1, array.type)[0])
