"""What overlaps in the bridge: never a reader and a commit, where the two would wait."""

from __future__ import annotations

import threading

import pyarrow as pa
import pytest

from sqlscore import bridge
from sqlscore.bridge import Overlap
from sqlscore.relations.ranges import KeyRange

RANGES = [KeyRange(ordinal=i, low=(i,), high=(i + 1,)) for i in range(5)]


class Stages:
    """Stages that note what each of them does, in order."""

    def __init__(self):
        self.log: list[tuple[str, int]] = []
        self.open = 0  # readers
        self.while_writing = threading.Event()

    def read(self, range_):
        self.open += 1
        try:
            for part in range(3):
                yield pa.RecordBatch.from_pydict({"x": [range_.ordinal * 10 + part]})
        finally:
            self.open -= 1

    def write(self, range_, results, ready):
        if self.open:
            self.while_writing.set()
        ready()
        self.log.append(("commit", self.open))
        assert results == [range_.ordinal * 10 + part for part in range(3)]


def run(stages, overlap):
    bridge.run(
        RANGES,
        read=stages.read,
        predict=lambda batch: batch.column(0)[0].as_py(),
        write=stages.write,
        overlap=overlap,
    )


@pytest.mark.parametrize("overlap", Overlap)
def test_every_range_is_written_in_order(overlap):
    stages = Stages()
    run(stages, overlap)
    assert len(stages.log) == len(RANGES)


@pytest.mark.parametrize("overlap", [Overlap.READING_UNTIL_COMMIT, Overlap.NOTHING])
def test_no_reader_is_open_at_a_commit(overlap):
    stages = Stages()
    run(stages, overlap)
    assert stages.log == [("commit", 0)] * len(RANGES)


def test_a_range_is_read_while_the_one_before_is_written():
    class Slow(Stages):
        def read(self, range_):
            for number, batch in enumerate(super().read(range_)):
                yield batch
                if range_.ordinal and not number:
                    assert written.wait(10), "the write before waits for this reader to end"

        def write(self, range_, results, ready):
            written.set()
            super().write(range_, results, ready)
            written.clear()

    written = threading.Event()
    stages = Slow()
    run(stages, Overlap.READING_UNTIL_COMMIT)
    assert stages.while_writing.is_set()
    assert stages.log == [("commit", 0)] * len(RANGES)


@pytest.mark.parametrize("overlap", Overlap)
@pytest.mark.parametrize("stage", ["read", "write"])
def test_an_error_of_a_stage_ends_the_run(overlap, stage):
    class Failing(Stages):
        def read(self, range_):
            yield from super().read(range_)
            if stage == "read" and range_.ordinal == 2:
                raise OSError("gone")

        def write(self, range_, results, ready):
            if stage == "write" and range_.ordinal == 2:
                raise OSError("gone")
            super().write(range_, results, ready)

    stages = Failing()
    with pytest.raises(OSError, match="gone"):
        run(stages, overlap)
    assert len(stages.log) <= 2
    assert stages.open == 0
