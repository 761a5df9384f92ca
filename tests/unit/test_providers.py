"""Execution providers by name: what is refused, what is measured, what `auto` takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from sqlscore import graph as graphs
from sqlscore.errors import ProviderError
from sqlscore.model import load
from sqlscore.prove import prove
from sqlscore.prove.providers import Measured, best, measure
from sqlscore.session import PROVIDERS, Session, available, providers, runtime_version
from sqlscore.session.bound import bindable, run_bound
from tests.fixtures import models
from tests.fixtures.providers import NONE, TWIN

ROWS = models.columns(100, 4).astype(np.float32)


def found(provider: str, **values: Any) -> Measured:
    return Measured(provider=provider, onnxruntime="1.32.0", rows=100, **values)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_that_is_not_here_says_what_brings_it(provider: str):
    if provider in available():
        return
    with pytest.raises(ProviderError, match=f"pip install {PROVIDERS[provider].package}"):
        Session(models.mlp(), provider=provider)


def test_a_misspelt_provider_names_the_nearest():
    with pytest.raises(ProviderError, match="Did you mean 'openvino'"):
        providers.asked("openvno", available())


@pytest.mark.parametrize("provider", ["cpu", "auto"])
def test_options_need_a_provider_that_has_some(provider: str):
    model = load(models.mlp())
    for rows in (pd.DataFrame(ROWS), {"X": ROWS}):
        with pytest.raises(ProviderError, match="the options device_id belong to a provider"):
            model.predict(rows, provider=provider, provider_options={"device_id": "1"})


def test_a_provider_without_one_of_the_operators_is_no_hidden_cpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PROVIDERS, "none", NONE)
    if NONE.name not in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime comes without {NONE.name}")
    with pytest.raises(ProviderError, match="has none of its operators"):
        Session(models.mlp(), provider="none")


def test_another_provider_is_measured_against_the_cpu(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(PROVIDERS, "twin", TWIN)
    graph = graphs.read(models.mlp())
    signature = graphs.signature_of(graph)
    measured = measure(graph, signature, prove(graph, signature), "twin")
    assert (measured.refused, measured.difference, measured.labels) == (None, 0.0, 0.0)
    assert (measured.rows, measured.share, measured.onnxruntime) == (100, 1.0, runtime_version())
    assert measured.speed > 0
    assert Measured.from_json(measured.to_json()) == measured


@pytest.mark.parametrize(
    ("measured", "threads", "taken"),
    [
        ({}, 1, "cpu"),
        ({"openvino": found("openvino", speed=1.5, difference=1e-6)}, 2, "openvino"),
        ({"openvino": found("openvino", speed=0.9)}, 2, "cpu"),
        ({"openvino": found("openvino", speed=9.0, difference=0.1)}, 2, "cpu"),
        ({"openvino": found("openvino", speed=9.0, labels=0.1)}, 2, "cpu"),
        ({"openvino": found("openvino", refused="no such operator")}, 2, "cpu"),
        # a device takes the place of all threads of the processor
        ({"cuda": found("cuda", speed=3.0)}, 4, "cpu"),
        ({"cuda": found("cuda", speed=3.0)}, 2, "cuda"),
        ({"cuda": found("cuda", speed=4.0), "openvino": found("openvino", speed=1.8)}, 2, "cuda"),
    ],
)
def test_auto_takes_the_fastest_that_agrees(
    measured: dict[str, Measured], threads: int, taken: str
):
    name, why = best(measured, threads=threads)
    assert name == taken
    assert why == ("; ".join(map(str, measured.values())) or "no other provider is installed")


def test_auto_without_another_provider_takes_the_cpu():
    if available() != ("cpu",):
        pytest.skip("another provider is installed")
    model = load(models.mlp())
    assert model.provider("auto") == ("cpu", "no other provider is installed")
    np.testing.assert_array_equal(
        model.predict({"X": ROWS}, provider="auto")["probabilities"],
        model.predict({"X": ROWS})["probabilities"],
    )


def test_tensors_bound_to_a_device_give_the_same():
    session = onnxruntime.InferenceSession(models.mlp(), providers=["CPUExecutionProvider"])
    assert bindable(session)
    bound = run_bound(session, ["probabilities", "label"], {"X": ROWS})
    for one, other in zip(bound, session.run(["probabilities", "label"], {"X": ROWS}), strict=True):
        np.testing.assert_array_equal(one, other)


def test_text_and_labels_of_a_wrong_shape_are_not_bound():
    text = models.written("g (string[N,1] x) => (string[N,1] y) { y = Identity(x) }")
    for model in (text, models.lightgbm()):
        assert not bindable(onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]))
