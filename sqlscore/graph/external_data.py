"""External data: tensors whose values lie in files beside the model, brought into its bytes.

A model file is untrusted, and names the files that are read: an absolute path, a path upwards, a
symbolic or a hard link would each put a foreign file's contents into a model that is then stored
and shared (CVE-2022-25882, CVE-2024-27318 and their kin). So only plain files that lie in the
model's own folder are read.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from onnx import TensorProto

from sqlscore.errors import ModelError
from sqlscore.graph.nodes import all_tensors

if TYPE_CHECKING:
    from pathlib import Path

    from onnx import ModelProto

_ONE_FILE = (
    "Put its files beside the model as plain files, or save the model as one file: "
    "onnx.save(onnx.load('model.onnx'), 'whole.onnx')."
)


def external_tensors(model: ModelProto) -> list[TensorProto]:
    """The tensors whose values lie in other files."""
    return [t for t in all_tensors(model) if t.data_location == TensorProto.EXTERNAL]


def inline(model: ModelProto, folder: Path, limit: int) -> None:
    """Read every external tensor's values from `folder` into the model, in place.

    Raises ModelError for a file that does not lie in the folder as a plain file, that is too
    short, or that would make the model larger than `limit` bytes.
    """
    total = model.ByteSize()
    for tensor in external_tensors(model):
        values = _values(tensor, folder, limit - total)
        total += len(values)
        tensor.raw_data = values
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")


def _values(tensor: TensorProto, folder: Path, most: int) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    where = f"the tensor {tensor.name!r} keeps its values in the external file {location!r}"
    try:
        offset, length = int(entries.get("offset", 0)), int(entries.get("length", -1))
    except ValueError as error:
        raise ModelError(f"{where} with an offset or length that is no number") from error
    descriptor = _open_plain(folder, location, where)
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        length = size - offset if length < 0 else length
        if offset < 0 or length < 0 or offset + length > size:
            raise ModelError(f"{where}, which is shorter ({size} bytes) than the model says")
        if length > most:
            raise ModelError(
                f"{where}, and with it the model is over 2 GB, which is the most that "
                "one ONNX model may be. Use a smaller or quantised model."
            )
        file.seek(offset)
        return file.read(length)


def _open_plain(folder: Path, location: str, where: str) -> int:
    """Open a plain file in the folder for reading, or raise ModelError."""
    if not location or os.path.isabs(location) or re.match(r"[A-Za-z]:|\\|/", location):
        raise ModelError(f"{where}: an absolute path is refused. {_ONE_FILE}")
    parts = re.split(r"[/\\]", location)
    if ".." in parts:
        raise ModelError(f"{where}: a path out of the model's folder is refused. {_ONE_FILE}")
    path = folder
    try:
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise ModelError(f"{where}: a symbolic link is refused. {_ONE_FILE}")
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | _BINARY)
    except (OSError, ValueError) as error:
        raise ModelError(f"{where}, which cannot be read: {error}. {_ONE_FILE}") from error
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
        return descriptor
    os.close(descriptor)
    kind = "a hard link" if stat.S_ISREG(status.st_mode) else "what is no plain file"
    raise ModelError(f"{where}: {kind} is refused. {_ONE_FILE}")


_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
