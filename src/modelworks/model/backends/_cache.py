"""Compiled machine code, kept on disk by the content it was made from.

A file's name is the hash of the instructions, the processor and the compiler's version. That it is whole is looked at
each time, for LLVM ends the whole process over a damaged object.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from modelworks.caches import cache_folder, read_entry, write_entry

# What is in use stays alive with its user; this many are kept for whoever comes next.
MOST_LOADED = 64
_LOADED: dict[str, Library] = {}
_LOCK = threading.Lock()


class Library:
    """Machine code ready to be called; keeps alive what LLVM needs."""

    def __init__(self, engine: llvm.ExecutionEngine) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))


def compile_module(text: str) -> Library:
    """Optimised machine code of a module, from the cache where it is there."""
    return library(_without_triple(text), lambda: text)


def library(content: str, write: Callable[[], str]) -> Library:
    """The machine code of what `content` stands for: from memory, from disk, or of the module that `write` gives.

    To write a large module out takes longer than to load its machine code, so `content` may be anything that says
    as much as the module does.
    """
    key = _key(content)
    with _LOCK:
        found = _LOADED.pop(key, None) or _loaded(key, write)
        # The one that was asked for last is the last to be forgotten.
        _LOADED[key] = found
        while len(_LOADED) > MOST_LOADED:
            _LOADED.pop(next(iter(_LOADED)))
        return found


def forget() -> None:
    """Drop what is kept in memory; who holds a library goes on with it."""
    with _LOCK:
        _LOADED.clear()


def _loaded(key: str, write: Callable[[], str]) -> Library:
    machine = _target_machine()
    cached = kernel_folder() / f"{key}.o"
    known = read_entry(cached)
    module = llvm.parse_assembly(
        f'target triple = "{machine.triple}"\n{_without_triple(write()) if known is None else ""}'
    )
    module.name = key
    if known is None:
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        passes = llvm.create_pass_builder(machine, options)
        passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    if known is None:
        engine.set_object_cache(notify_func=lambda _, code: write_entry(cached, code))
    else:
        engine.add_object_file(llvm.ObjectFileRef.from_data(known))
    engine.finalize_object()
    return Library(engine)


@functools.cache
def of_code() -> str:
    """The hash of all code that turns a program into a module: with other code, another module."""
    here = Path(__file__).parent
    found = hashlib.sha256()
    written = [*sorted(here.glob("*.py")), *sorted((here.parent / "solvers").glob("*.py"))]
    for path in (*written, *(here.parent / f"{name}.py" for name in ("_graph", "_jumps", "_program"))):
        found.update(path.read_bytes())
    return found.hexdigest()


def kernel_folder() -> Path:
    """Where compiled kernels are kept."""
    return cache_folder("kernels")


def _key(text: str) -> str:
    parts = [text, llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten(), llvmlite.__version__]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _without_triple(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith(("target triple", "target datalayout")))


def _target_machine() -> llvm.TargetMachine:
    """The processor to compile for; a new one each time, for an engine frees the one it was given."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # Full-width vectors: the kernels are arithmetic through and through, and never run so briefly
    # that the processor's change of clock would matter.
    features = llvm.get_host_cpu_features().flatten() + ",-prefer-256-bit"
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3
    )
