"""A model loaded in this process: the only file that imports onnxruntime.

Its errors end here: what onnxruntime raises leaves as ModelError or ProviderError, with the cause.
"""

from __future__ import annotations

import re
import threading
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlscore.errors import ModelError, ProviderError
from sqlscore.session.bound import bindable, run_bound
from sqlscore.session.fed import fed_inputs, has_small_floats, refuse_foreign
from sqlscore.session.fixed import Fixed, fixed
from sqlscore.session.providers import PROVIDERS, asked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType

    import numpy as np

    from sqlscore.session.providers import Provider

_SILENT = 4  # onnxruntime prints what it also raises, and warns of output shapes on every run
#: in the words of onnxruntime's allocator, CUDA, and its libraries
_FULL = re.compile(
    "Failed to allocate memory|smaller than requested bytes|out of memory|ALLOC_FAILED"
)


class DeviceFull(ProviderError):
    """A device has not the memory for so many rows at once."""


def runtime_version() -> str:
    """The version of ONNX Runtime."""
    return str(_onnxruntime().__version__)


def available() -> tuple[str, ...]:
    """The providers that can be asked for here, by our names; ``cpu`` always."""
    found = _onnxruntime().get_available_providers()
    return tuple(ours for ours, provider in PROVIDERS.items() if provider.name in found)


class Session:
    """A loaded model. `run` may be called by several threads at once.

    One thread by default: with more, sums of large tree ensembles depend on how rows fall to
    threads, and a row's prediction is no longer the same bits in every batch.
    """

    def __init__(
        self,
        model: bytes,
        *,
        provider: str = "cpu",
        options: Mapping[str, str] | None = None,
        threads: int = 1,
    ) -> None:
        """Load the model's bytes; `options` are the provider's own, in onnxruntime's words.

        Raises ProviderError where the provider is unknown, not installed, or refuses the model
        (there is no silent fall-back), and ModelError where onnxruntime cannot load the model.
        """
        runtime = _onnxruntime()
        chosen = asked(provider, available(), options)
        settings = {**chosen.options, **{k: str(v) for k, v in (options or {}).items()}}
        self._errors = _errors(runtime)
        self._session = self._load(runtime, model, chosen, settings, threads)
        if has_small_floats(self._session):
            from sqlscore.session.borders import with_float32_borders  # onnx is slow to import

            borders = with_float32_borders(model)
            self._session = self._load(runtime, borders, chosen, settings, threads)
        refuse_foreign(self._session)
        self.provider = provider
        #: the share of the model's operators that run on the provider, the rest on the CPU
        self.share = _share(self._session, chosen.name)
        if not self.share:
            raise ProviderError(
                f"{chosen.name} refuses the model: it has none of its operators, and onnxruntime "
                "would run all of them on the CPU"
            )
        #: has memory of its own, which larger batches use better
        self.device = chosen.device
        #: the limit of bytes that it may take of the device; None: all
        self.memory = int(settings[chosen.memory]) if chosen.memory in settings else None
        self._bound = chosen.device and bindable(self._session)
        self._turn: AbstractContextManager[Any]
        self._turn = threading.Lock() if chosen.alone else nullcontext()
        self.inputs = fed_inputs(self._session)
        #: inputs that the graph has a value for, which a feed takes the place of
        self.defaults = tuple(i.name for i in self._session.get_overridable_initializers())
        self.outputs = tuple(output.name for output in self._session.get_outputs())

    def run(
        self, feeds: Mapping[str, np.ndarray], outputs: Sequence[str] | None = None
    ) -> dict[str, Any]:
        """Run the model on its inputs' tensors; the outputs asked for (None: all), by name.

        A tensor comes back as an array, text as an array of `str` objects; a sequence of maps as
        a list of dicts. Small floats go in and come out as float32. Raises ModelError, and
        DeviceFull where fewer rows may do.
        """
        names = list(self.outputs if outputs is None else outputs)
        try:
            with self._turn:
                if self._bound:
                    values = run_bound(self._session, names, feeds)
                else:
                    values = self._session.run(names, dict(feeds))
        except self._errors as error:
            if self.device and _FULL.search(str(error)):
                raise DeviceFull(f"the device's memory is full: {_why(error)}") from error
            raise ModelError(f"the model failed while it ran: {_why(error)}") from error
        return dict(zip(names, values, strict=True))

    def fixed(self, feeds: Mapping[str, np.ndarray], output: str) -> Fixed | None:
        """A run for feeds of these shapes and one output, for one thread at a time.

        None where it cannot be: text is fed or given, or the model runs on a device. Both this
        and its `run` raise ModelError.
        """
        if self.device:
            return None
        try:
            made = fixed(self._session, feeds, output)
        except self._errors as error:
            raise ModelError(f"the model failed while it ran: {_why(error)}") from error
        if made is None:
            return None
        begin, errors = made.run, self._errors

        def run() -> None:
            try:
                begin()
            except errors as error:
                raise ModelError(f"the model failed while it ran: {_why(error)}") from error

        return replace(made, run=run)

    def _load(
        self,
        runtime: ModuleType,
        model: bytes,
        chosen: Provider,
        settings: Mapping[str, str],
        threads: int,
    ) -> Any:
        name = chosen.name
        options = runtime.SessionOptions()
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        options.enable_mem_pattern = not chosen.alone
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _SILENT
        try:
            session = runtime.InferenceSession(model, options, providers=[(name, dict(settings))])
        except self._errors as error:
            if name != "CPUExecutionProvider":
                told = f" with the options {dict(settings)}" if settings else ""
                raise ProviderError(f"{name} refuses the model{told}: {_why(error)}") from error
            raise ModelError(f"onnxruntime cannot load the model: {_why(error)}") from error
        session.disable_fallback()
        if name not in session.get_providers():
            raise ProviderError(
                f"{name} is installed but does not start here, and onnxruntime would run "
                "on the CPU instead. Check the device's driver and libraries (for CUDA: the "
                "driver, CUDA and cuDNN versions that this onnxruntime-gpu was built for)."
            )
        return session


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError(
            f"onnxruntime cannot be imported: {error}. Run: pip install onnxruntime"
        ) from error
    return onnxruntime  # type: ignore[no-any-return]  # it ships no types


def _errors(runtime: ModuleType) -> tuple[type[Exception], ...]:
    """Every exception that onnxruntime raises; its own have no common base."""
    native = vars(runtime.capi.onnxruntime_pybind11_state).values()
    own = [e for e in native if isinstance(e, type) and issubclass(e, Exception)]
    return (*own, RuntimeError, ValueError, TypeError)


def _why(error: Exception) -> str:
    return " ".join(str(error).split())


def _share(session: Any, provider: str) -> float:
    """The share of a session's operators that the provider runs; all where it cannot be told."""
    if not hasattr(session, "get_provider_graph_assignment_info"):  # onnxruntime before 1.24
        return 1.0
    nodes = {provider: 0}
    for part in session.get_provider_graph_assignment_info():
        nodes[part.ep_name] = nodes.get(part.ep_name, 0) + len(part.get_nodes())
    total = sum(nodes.values())
    return nodes[provider] / total if total else 1.0
