"""What a registry keeps of one version of a model, and how people name it.

``churn`` is the newest version of a name, ``churn:3`` one version, ``churn@production`` the version
that an alias points to.
"""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlscore.errors import RegistryError
from sqlscore.graph import signature_of
from sqlscore.prove import Proof

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlscore.graph import Graph
    from sqlscore.registry.running import Running
    from sqlscore.signature import Signature

NAME_LENGTH = 190  #: what the owned tables hold in a key


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """One version of a model, as the registry keeps it."""

    name: str
    version: int
    sha256: str  #: of the bytes
    size: int  #: in bytes
    features: tuple[str, ...] | None  #: as given to `add`; None: by rule
    outputs: Mapping[str, str]  #: as given to `add`
    drop: tuple[str, ...]  #: as given to `add`
    shapes: Mapping[str, Sequence[int]]  #: as given to `add`
    constants: Mapping[str, Any]  #: as given to `add`, as plain values
    proof: Proof
    created_at: datetime  #: UTC, without a zone

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def options(self) -> dict[str, Any]:
        """What was given to `add` beside the name and the bytes."""
        return {
            "features": self.features, "outputs": self.outputs, "drop": self.drop,
            "shapes": self.shapes, "constants": self.constants,
        }  # fmt: skip

    def signature_of(self, graph: Graph) -> Signature:
        """The columns that this version of a graph takes and gives."""
        return signature_of(
            graph, features=self.features, outputs=self.outputs, drop=self.drop, shapes=self.shapes
        )

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Version:
        """The version in a row of the owned table ``models``."""
        options = json.loads(row["options"])
        features = options["features"]
        return cls(
            name=row["name"],
            version=row["version"],
            sha256=row["sha256"],
            size=row["bytes"],
            features=None if features is None else tuple(features),
            outputs=options["outputs"],
            drop=tuple(options["drop"]),
            shapes=options.get("shapes", {}),
            constants=options.get("constants", {}),
            proof=Proof.from_json(row["proof"]),
            created_at=row["created_at"],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """A version as people write it; neither number nor alias: the newest."""

    name: str
    version: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read ``name``, ``name:3`` or ``name@alias``; RegistryError for anything else."""
        name, colon, number = text.partition(":")
        if colon:
            if not (number.isascii() and number.isdecimal()):
                raise RegistryError(
                    f"{text!r} names no version: after the colon stands a number, as in "
                    f"'{name}:3'; an alias is written '{name}@production'"
                )
            return cls(name=checked_name(name), version=int(number))
        name, at, alias = text.partition("@")
        return cls(name=checked_name(name), alias=checked_name(alias, "alias") if at else None)


def checked_name(name: str, what: str = "name of a model") -> str:
    """The name in its one spelling (NFC); RegistryError where it cannot be one."""
    normal = unicodedata.normalize("NFC", name)
    wrong = sorted({c for c in normal if not (c.isalnum() or c in "_-.")})
    if not normal or wrong:
        raise RegistryError(
            f"{name!r} cannot be the {what}: it has letters, digits, '_', '-' and '.' only"
            + (f", not {' '.join(repr(c) for c in wrong)}" if wrong else ", at least one")
        )
    if len(normal) > NAME_LENGTH:
        raise RegistryError(
            f"{name[:20]!r}… cannot be the {what}: it has {len(normal)} characters, and at most "
            f"{NAME_LENGTH} fit"
        )
    return normal


def options_json(
    features: Sequence[str] | None,
    outputs: Mapping[str, str] | None,
    drop: Sequence[str],
    shapes: Mapping[str, Sequence[int]] | None = None,
    constants: Mapping[str, Any] | None = None,
) -> str:
    """The options of `add` as they are stored; equal text for equal options."""
    kept: dict[str, Any] = {
        "features": None if features is None else list(features),
        "outputs": dict(outputs or {}),
        "drop": sorted(set(drop)),
    }
    # left out where they are empty, so that versions of before have equal text
    later = {"shapes": shapes, "constants": constants}
    kept |= {name: dict(given) for name, given in later.items() if given}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True)


def signature_json(signature: Signature, running: Running | None) -> str:
    """The signature for people who look into the table, and what functions inside read of it."""
    return json.dumps(
        {
            "features": [[f.name, str(f.type)] for f in signature.features],
            "predictions": [[p.name, str(p.type)] for p in signature.predictions],
            "numeric": running and running.numeric.stored(),
        },
        ensure_ascii=False,
    )
