"""ONNX Runtime's execution providers by our words: what brings each, and how it is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlscore.errors import ProviderError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AUTO = "auto"  #: the best of those that are here and work for the model
_PLAIN = "onnxruntime"  #: the package that brings the CPU, and on its own machines CoreML


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """One execution provider."""

    name: str  #: in onnxruntime's own words
    package: str  #: the package that brings it
    runs_on: str  #: for people
    options: Mapping[str, str] = field(default_factory=dict)  #: where the caller gives no other
    device: bool = False  #: has memory of its own: tensors are bound to it, batches are larger
    memory: str | None = None  #: the option that limits how much of the device's it takes, in bytes
    alone: bool = False  #: one thread at a time may run a session, without planned memory


PROVIDERS = {
    "cpu": Provider(name="CPUExecutionProvider", package=_PLAIN, runs_on="any processor"),
    "cuda": Provider(
        name="CUDAExecutionProvider",
        package="onnxruntime-gpu",
        runs_on="NVIDIA GPUs",
        # TF32 keeps 10 bits of a float32's 23: far outside of what may differ from the CPU.
        # Memory grows by what is needed, not to a power of two that a limit has no room for.
        options={"use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"},
        device=True,
        memory="gpu_mem_limit",
    ),
    "tensorrt": Provider(
        name="TensorrtExecutionProvider",
        package="onnxruntime-gpu",
        runs_on="NVIDIA GPUs, with TensorRT installed",
        device=True,
    ),
    # AMD's own successor of rocm, which onnxruntime has had no more since 1.23
    "migraphx": Provider(
        name="MIGraphXExecutionProvider",
        package="onnxruntime-migraphx",
        runs_on="AMD GPUs",
        device=True,
    ),
    "rocm": Provider(
        name="ROCMExecutionProvider",
        package="onnxruntime-rocm",
        runs_on="AMD GPUs, by onnxruntime before 1.23",
        device=True,
        memory="gpu_mem_limit",
    ),
    "directml": Provider(
        name="DmlExecutionProvider",
        package="onnxruntime-directml",
        runs_on="GPUs on Windows",
        alone=True,
    ),
    "coreml": Provider(name="CoreMLExecutionProvider", package=_PLAIN, runs_on="Apple's chips"),
    "openvino": Provider(
        name="OpenVINOExecutionProvider",
        package="onnxruntime-openvino",
        runs_on="Intel's processors and GPUs",
        options={"device_type": "CPU"},
    ),
}


def known(provider: str) -> str:
    """The word itself, which may be ``auto``; ProviderError where it names no provider."""
    if provider not in (*PROVIDERS, AUTO):
        raise ProviderError(
            f"unknown provider {provider!r}; there are: {', '.join((*PROVIDERS, AUTO))}."
            f"{nearest(provider, (*PROVIDERS, AUTO))}"
        )
    return provider


def asked(provider: str, here: Sequence[str], options: Mapping[str, str] | None = None) -> Provider:
    """The provider of that word (but ``auto``), which takes `options`.

    Raises ProviderError where it is unknown, not among those `here`, or takes no options.
    """
    found = PROVIDERS[known(provider)]
    if provider not in here:
        raise ProviderError(
            f"the provider {provider!r} is not here: the onnxruntime that is installed has "
            f"{', '.join(here)}. Run: {install(found)}"
        )
    if provider == "cpu":
        refuse_options(provider, options or {})
    return found


def refuse_options(provider: str, options: Mapping[str, str]) -> None:
    """Raise ProviderError for options of ``cpu`` and ``auto``, which have none."""
    if options:
        raise ProviderError(
            f"the options {', '.join(options)} belong to a provider, and {provider!r} has none. "
            "Name the provider that they are for"
        )


def install(provider: Provider) -> str:
    """The command that brings a provider; the packages overwrite each other, so one has to go."""
    if provider.package == _PLAIN:
        return f"pip install {_PLAIN}, on {provider.runs_on}"
    return f"pip uninstall -y {_PLAIN} && pip install {provider.package}"
