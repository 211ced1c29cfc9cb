"""What a routine can do besides arithmetic: reach buffers and call functions by where they lie, and take turns.

Python has none of it, so a routine that uses these runs only as a part of a kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from llvmlite import ir

from modelworks.model.backends._emit import INTEGER, POINTER


def reals_at(address: int) -> Any:
    """The real numbers from an address on."""
    _only_in_a_kernel(address)


def wholes_at(address: int) -> Any:
    """The whole numbers from an address on."""
    _only_in_a_kernel(address)


def called(address: int, *arguments: Any) -> int:
    """The whole number that the function at an address answers."""
    _only_in_a_kernel(address, *arguments)


def taken(flags: Any, place: int) -> int:
    """Set a flag, in one piece for all threads; gives what it was, so that zero says it is ours now."""
    _only_in_a_kernel(flags, place)


def give_back(flags: Any, place: int) -> None:
    """Clear a flag, after everything that was done while it was ours."""
    _only_in_a_kernel(flags, place)


def _only_in_a_kernel(*_: Any) -> NoReturn:
    raise TypeError("this runs only as a part of a kernel")


def _pointer(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.inttoptr(address, POINTER)


def _call(builder: ir.IRBuilder, address: ir.Value, *arguments: ir.Value) -> ir.Value:
    kind = ir.FunctionType(INTEGER, [each.type for each in arguments])
    return builder.call(builder.inttoptr(address, kind.as_pointer()), arguments)


def _exchanged(order: str, value: int) -> Callable[..., ir.Value]:
    def write(builder: ir.IRBuilder, flags: ir.Value, place: ir.Value) -> ir.Value:
        flag = builder.gep(flags, [place], source_etype=INTEGER)
        return builder.atomic_rmw("xchg", flag, ir.Constant(INTEGER, value), order)

    return write


# Each with the kind of its answer and what writes it.
WRITTEN: dict[Callable[..., Any], tuple[str, Callable[..., ir.Value]]] = {
    reals_at: ("Reals", _pointer),
    wholes_at: ("Wholes", _pointer),
    called: ("Whole", _call),
    taken: ("Whole", _exchanged("acquire", 1)),
    give_back: ("None", _exchanged("release", 0)),
}
