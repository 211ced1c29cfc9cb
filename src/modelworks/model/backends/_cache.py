"""Compiled machine code, kept on disk by the content it was made from.

A file's name is the hash of the instructions, the processor and the compiler's version, and it begins
with the hash of its own content: LLVM ends the whole process over a damaged object. So an entry is
never wrong, only absent. A cache that can not be read or written costs time, not correctness.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

DIGEST = hashlib.sha256().digest_size


class Library:
    """Machine code ready to be called; keeps alive what LLVM needs."""

    def __init__(self, engine: llvm.ExecutionEngine) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        return int(self._engine.get_function_address(name))


@functools.lru_cache(maxsize=64)
def compile_module(text: str) -> Library:
    """Optimised machine code of a module, from the cache where it is there."""
    machine = _target_machine()
    cached = kernel_folder() / f"{_key(text)}.o"
    module = llvm.parse_assembly(f'target triple = "{machine.triple}"\n{_without_triple(text)}')
    module.name = cached.stem
    known = _read(cached)
    if known is None:
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        passes = llvm.create_pass_builder(machine, options)
        passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.set_object_cache(notify_func=lambda _, code: _write(cached, code), getbuffer_func=lambda _: known)
    engine.finalize_object()
    return Library(engine)


def kernel_folder() -> Path:
    """Where compiled kernels are kept: `MODELWORKS_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("MODELWORKS_CACHE")
    if chosen:
        return Path(chosen) / "kernels"
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "modelworks" / "kernels"


def _read(path: Path) -> bytes | None:
    """The machine code a file holds, or nothing where it is absent or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:DIGEST], content[DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(path: Path, code: bytes) -> None:
    """Publish by rename, so that another process never reads half a file."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            part.write(hashlib.sha256(code).digest() + code)
        os.replace(part.name, path)


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
