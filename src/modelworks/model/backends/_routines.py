"""Small numerical functions, written once in plain Python, as instructions of a kernel.

Samplers and the loops of a stochastic run branch at every turn, which is painful to write instruction by
instruction and easy to read as Python. A routine is a function whose annotations are the kinds below and
whose body holds assignments, arithmetic, comparisons, `if`, `while`, `for ... in range(...)`, `break`,
`continue`, `return`, elements of arrays, and calls: of other routines, of `exp`, `log`, `sqrt`, `floor`, `log1p` and
`erfc`, and of what `_addresses.py` adds.
It means the same as in Python, but that whole numbers have 64 bits (`//` and `%` are for those not below zero), that
`floor` gives a real number, and that nothing checks an index. Called as it stands it can be tested without a compiler.

What differs from kernel to kernel, a routine takes from names that are filled in when the kernel is written: a
number, an array that becomes a constant of the kernel, or a function already written into it.
"""

from __future__ import annotations

import ast
import ctypes
import inspect
import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from modelworks.model.backends._addresses import WRITTEN
from modelworks.model.backends._cache import Library
from modelworks.model.backends._emit import DOUBLE, INTEGER, POINTER
from modelworks.sources import parsed

# The kinds of values: real numbers, whole numbers, 64 bits without a sign, yes or no, and arrays of the first three.
Real: TypeAlias = float
Whole: TypeAlias = int
Word: TypeAlias = int
Truth: TypeAlias = bool
Reals: TypeAlias = NDArray[np.float64]
Wholes: TypeAlias = NDArray[np.int64]
Words: TypeAlias = NDArray[np.uint64]

_TRUTH = ir.IntType(1)
_TYPES = {"Real": DOUBLE, "Whole": INTEGER, "Word": INTEGER, "Truth": _TRUTH, "None": ir.VoidType()}
_TYPES |= dict.fromkeys(("Reals", "Wholes", "Words"), POINTER)
_ELEMENTS = {"Reals": "Real", "Wholes": "Whole", "Words": "Word"}
_C_KINDS: dict[str, Any] = {"Whole": ctypes.c_int64, "Word": ctypes.c_uint64, "Real": ctypes.c_double}
_INTRINSICS = {math.exp: "exp", math.log: "log", math.sqrt: "sqrt", math.floor: "floor"}
# Of the C library, which every process has.
_LIBRARY = {math.log1p: "log1p", math.erfc: "erfc"}
_REAL = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_WHOLE = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.LShift: "shl", ast.BitXor: "xor", ast.BitOr: "or_"}
_WHOLE |= {ast.FloorDiv: "sdiv", ast.Mod: "srem"}
_COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def part(array: Any, start: Whole) -> Any:
    """The elements of an array from one on."""
    return array[start:]


@dataclass(frozen=True)
class Value:
    """A value, and its kind; `literal` holds what was written, which takes the kind that is asked for."""

    kind: str
    value: ir.Value
    literal: float | None = None


class Routines:
    """The routines of one kernel: each is written into it once, when it is first called."""

    def __init__(self, module: ir.Module, given: Mapping[str, object]) -> None:
        self.module = module
        self.given = given
        self._written: dict[Callable[..., Any], ir.Function] = {}

    def function(self, routine: Callable[..., Any], *, exported: bool = False) -> ir.Function:
        """The function a routine becomes."""
        if routine not in self._written:
            kinds, answer = signature(routine)
            kind = ir.FunctionType(_TYPES[answer], [_TYPES[each] for each in kinds])
            # Solvers call their step by one name.
            name = routine.__name__ if exported else self.module.get_unique_name(routine.__name__)
            function = ir.Function(self.module, kind, name)
            if not exported:
                function.linkage = "internal"
            self._written[routine] = function
            _Body(self, routine, function).write()
        return self._written[routine]

    def table(self, name: str, values: NDArray[Any]) -> Value:
        """An array as a constant of the kernel."""
        whole = values.dtype.kind == "i"
        if name not in self.module.globals:
            element = INTEGER if whole else DOUBLE
            # An empty array is never read, but has to have an address.
            numbers = [*values.ravel().tolist(), 0][: max(values.size, 1)]
            kind = ir.ArrayType(element, len(numbers))
            constant = ir.GlobalVariable(self.module, kind, name)
            constant.initializer = ir.Constant(kind, [ir.Constant(element, number) for number in numbers])
            constant.global_constant = True
            constant.linkage = "internal"
        return Value("Wholes" if whole else "Reals", self.module.globals[name])


def signature(routine: Callable[..., Any]) -> tuple[list[str], str]:
    """The kinds of a routine's arguments and of its answer."""
    annotated = {name: str(kind) for name, kind in inspect.get_annotations(routine).items()}
    answer = annotated.pop("return")
    return list(annotated.values()), answer


def exported(library: Library, routine: Callable[..., Any]) -> Any:
    """An exported routine as a function of Python, which releases the lock while it runs."""
    kinds, answer = signature(routine)
    arguments = [_C_KINDS.get(kind, ctypes.c_void_p) for kind in kinds]
    return ctypes.CFUNCTYPE(_C_KINDS.get(answer), *arguments)(library.address(routine.__name__))


class _Body:
    """Writes the body of one routine, statement by statement."""

    def __init__(self, routines: Routines, routine: Callable[..., Any], function: ir.Function) -> None:
        self.routines = routines
        self.routine = routine
        self.function = function
        self.kinds, self.answer = signature(routine)
        self.entry = ir.IRBuilder(function.append_basic_block("entry"))
        self.builder = ir.IRBuilder(function.append_basic_block("body"))
        self.variables: dict[str, tuple[str, ir.Value]] = {}
        self.loops: list[tuple[ir.Block, ir.Block]] = []

    def write(self) -> None:
        (definition,) = parsed(textwrap.dedent(inspect.getsource(self.routine))).body
        if not isinstance(definition, ast.FunctionDef):
            raise TypeError(f"{self.routine.__name__} is not a plain function")
        for name, kind, argument in zip(definition.args.args, self.kinds, self.function.args, strict=True):
            argument.name = name.arg
            self._assign(name.arg, Value(kind, argument))
        self._statements(definition.body)
        if not self.builder.block.is_terminated:
            if self.answer == "None":
                self.builder.ret_void()
            else:
                self.builder.unreachable()
        self.entry.branch(self.function.basic_blocks[1])

    # -- statements ------------------------------------------------------------------------------

    def _statements(self, statements: Sequence[ast.stmt]) -> None:
        for each in statements:
            getattr(self, f"_do_{type(each).__name__.lower()}")(each)
            if self.builder.block.is_terminated:
                return

    def _do_expr(self, each: ast.Expr) -> None:
        if not isinstance(each.value, ast.Constant):
            self._value(each.value)

    def _do_assign(self, each: ast.Assign) -> None:
        (target,) = each.targets
        if isinstance(target, ast.Tuple) and isinstance(each.value, ast.Tuple):
            values = [self._value(value) for value in each.value.elts]
            for one, value in zip(target.elts, values, strict=True):
                self._store(one, value)
        else:
            self._store(target, self._value(each.value))

    def _do_annassign(self, each: ast.AnnAssign) -> None:
        if each.value is not None:
            self._store(each.target, self._as(self._value(each.value), ast.unparse(each.annotation)))

    def _do_augassign(self, each: ast.AugAssign) -> None:
        self._store(each.target, self._combined(type(each.op), self._value(each.target), self._value(each.value)))

    def _do_return(self, each: ast.Return) -> None:
        if each.value is None:
            self.builder.ret_void()
        else:
            self.builder.ret(self._as(self._value(each.value), self.answer).value)

    def _do_if(self, each: ast.If) -> None:
        condition = self._truth(each.test)
        with self.builder.if_else(condition) as (then, otherwise):
            with then:
                self._statements(each.body)
            with otherwise:
                self._statements(each.orelse)

    def _do_while(self, each: ast.While) -> None:
        head, body, after = (self.function.append_basic_block(name) for name in ("head", "loop", "after"))
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(self._truth(each.test), body, after)
        self._loop(each.body, body, head, after)

    def _do_for(self, each: ast.For) -> None:
        if not isinstance(each.target, ast.Name) or not isinstance(each.iter, ast.Call):
            raise TypeError(f"a loop of {self.routine.__name__} is not over range(...)")
        limits = [self._as(self._value(limit), "Whole") for limit in each.iter.args]
        start = limits[0] if len(limits) == 2 else Value("Whole", ir.Constant(INTEGER, 0))
        name = each.target.id
        self._assign(name, start)
        head, body, following, after = (
            self.function.append_basic_block(title) for title in ("head", "loop", "next", "after")
        )
        self.builder.branch(head)
        self.builder.position_at_end(head)
        self.builder.cbranch(self.builder.icmp_signed("<", self._load(name).value, limits[-1].value), body, after)
        self._loop(each.body, body, following, after)
        self.builder.position_at_end(following)
        self._assign(name, Value("Whole", self.builder.add(self._load(name).value, ir.Constant(INTEGER, 1))))
        self.builder.branch(head)
        self.builder.position_at_end(after)

    def _loop(self, statements: Sequence[ast.stmt], body: ir.Block, again: ir.Block, after: ir.Block) -> None:
        self.builder.position_at_end(body)
        self.loops.append((again, after))
        self._statements(statements)
        self.loops.pop()
        if not self.builder.block.is_terminated:
            self.builder.branch(again)
        self.builder.position_at_end(after)

    def _do_break(self, each: ast.Break) -> None:
        self.builder.branch(self.loops[-1][1])

    def _do_continue(self, each: ast.Continue) -> None:
        self.builder.branch(self.loops[-1][0])

    # -- variables and elements ------------------------------------------------------------------

    def _assign(self, name: str, value: Value) -> None:
        if name not in self.variables:
            self.variables[name] = (value.kind, self.entry.alloca(_TYPES[value.kind]))
        kind, place = self.variables[name]
        self.builder.store(self._as(value, kind).value, place)

    def _load(self, name: str) -> Value:
        kind, place = self.variables[name]
        return Value(kind, self.builder.load(place, typ=_TYPES[kind]))

    def _store(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self._assign(target.id, value)
        elif isinstance(target, ast.Subscript):
            kind, place = self._element(target)
            self.builder.store(self._as(value, kind).value, place)
        else:
            raise TypeError(f"{self.routine.__name__} assigns to {ast.unparse(target)}")

    def _element(self, each: ast.Subscript) -> tuple[str, ir.Value]:
        array, index = self._value(each.value), self._as(self._value(each.slice), "Whole")
        kind = _ELEMENTS[array.kind]
        return kind, self.builder.gep(array.value, [index.value], source_etype=_TYPES[kind])

    # -- expressions -----------------------------------------------------------------------------

    def _value(self, each: ast.expr) -> Value:
        found: Value = getattr(self, f"_of_{type(each).__name__.lower()}")(each)
        return found

    def _of_constant(self, each: ast.Constant) -> Value:
        number = each.value
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TypeError(f"{self.routine.__name__} holds {number!r}")
        kind = "Whole" if isinstance(number, int) else "Real"
        return Value(kind, ir.Constant(_TYPES[kind], number), number)

    def _of_name(self, each: ast.Name) -> Value:
        if each.id in self.variables:
            return self._load(each.id)
        known = self._known(each.id)
        if isinstance(known, np.ndarray):
            return self.routines.table(each.id, known)
        return self._of_constant(ast.Constant(known))  # type: ignore[arg-type]

    def _known(self, name: str) -> object:
        """What a name means outside the routine."""
        if name in self.routines.given:
            return self.routines.given[name]
        if name in self.routine.__globals__:
            return self.routine.__globals__[name]
        return {"float": float, "int": int, "abs": abs, "min": min, "max": max}[name]

    def _of_subscript(self, each: ast.Subscript) -> Value:
        kind, place = self._element(each)
        return Value(kind, self.builder.load(place, typ=_TYPES[kind], align=8))

    def _of_binop(self, each: ast.BinOp) -> Value:
        return self._combined(type(each.op), self._value(each.left), self._value(each.right))

    def _combined(self, operation: type[ast.operator], left: Value, right: Value) -> Value:
        left, right = self._alike(left, right, "Real" if operation is ast.Div else None)
        if left.kind == "Real":
            return Value("Real", getattr(self.builder, _REAL[operation])(left.value, right.value))
        if operation is ast.RShift:
            shift = self.builder.lshr if left.kind == "Word" else self.builder.ashr
            return Value(left.kind, shift(left.value, right.value))
        return Value(left.kind, getattr(self.builder, _WHOLE[operation])(left.value, right.value))

    def _of_unaryop(self, each: ast.UnaryOp) -> Value:
        if isinstance(each.op, ast.Not):
            return Value("Truth", self.builder.not_(self._truth(each.operand)))
        value = self._value(each.operand)
        if value.literal is not None:
            return self._of_constant(ast.Constant(-value.literal))
        return Value(value.kind, (self.builder.fneg if value.kind == "Real" else self.builder.neg)(value.value))

    def _of_compare(self, each: ast.Compare) -> Value:
        (operation,), (other,) = each.ops, each.comparators
        left, right = self._alike(self._value(each.left), self._value(other))
        sign = _COMPARED[type(operation)]
        compare = {"Real": self.builder.fcmp_ordered, "Word": self.builder.icmp_unsigned}
        if left.kind == "Real" and sign == "!=":
            return Value("Truth", self.builder.fcmp_unordered(sign, left.value, right.value))
        return Value("Truth", compare.get(left.kind, self.builder.icmp_signed)(sign, left.value, right.value))

    def _of_boolop(self, each: ast.BoolOp) -> Value:
        """The second condition is looked at only where the first leaves it open."""
        place = self.entry.alloca(_TRUTH)
        self.builder.store(self._truth(each.values[0]), place)
        for value in each.values[1:]:
            held = self.builder.load(place, typ=_TRUTH)
            with self.builder.if_then(held if isinstance(each.op, ast.And) else self.builder.not_(held)):
                self.builder.store(self._truth(value), place)
        return Value("Truth", self.builder.load(place, typ=_TRUTH))

    def _of_ifexp(self, each: ast.IfExp) -> Value:
        """Only the one that is chosen is computed: it may draw a random number."""
        with self.builder.if_else(self._truth(each.test)) as (then, otherwise):
            with then:
                left = self._value(each.body)
                after_left = self.builder.block
            with otherwise:
                right = self._value(each.orelse)
                after_right = self.builder.block
        if left.kind != right.kind and left.literal is None and right.literal is None:
            raise TypeError(f"{self.routine.__name__} chooses between a {left.kind} and a {right.kind}")
        left, right = self._alike(left, right)
        chosen = self.builder.phi(_TYPES[left.kind])
        chosen.add_incoming(left.value, after_left)
        chosen.add_incoming(right.value, after_right)
        return Value(left.kind, chosen)

    def _of_call(self, each: ast.Call) -> Value:
        if not isinstance(each.func, ast.Name):
            raise TypeError(f"{self.routine.__name__} calls {ast.unparse(each.func)}")
        called, arguments = self._known(each.func.id), [self._value(argument) for argument in each.args]
        if called is part:
            array, start = arguments
            kind = _TYPES[_ELEMENTS[array.kind]]
            return Value(array.kind, self.builder.gep(array.value, [start.value], source_etype=kind))
        if called in (float, int):
            return self._as(arguments[0], "Real" if called is float else "Whole", asked=True)
        if called in (abs, min, max):
            return self._chosen(called, arguments)
        if called in _INTRINSICS:
            return self._intrinsic(f"llvm.{_INTRINSICS[called]}.f64", [self._as(each, "Real") for each in arguments])
        if called in _LIBRARY:
            return self._intrinsic(_LIBRARY[called], [self._as(each, "Real") for each in arguments])
        if called in WRITTEN:
            kind, write = WRITTEN[called]
            return Value(kind, write(self.builder, *(each.value for each in arguments)))
        if isinstance(called, ir.Function):
            self.builder.call(called, [each.value for each in arguments])
            return Value("None", ir.Constant(INTEGER, 0))
        function = self.routines.function(called)  # type: ignore[arg-type]
        kinds, answer = signature(called)  # type: ignore[arg-type]
        given = [self._as(value, kind).value for value, kind in zip(arguments, kinds, strict=True)]
        return Value(answer, self.builder.call(function, given))

    def _chosen(self, called: object, arguments: list[Value]) -> Value:
        if called is abs:
            return self._intrinsic("llvm.fabs.f64", arguments)
        left, right = self._alike(arguments[0], arguments[1])
        sign = "<" if called is min else ">"
        compare = self.builder.fcmp_ordered if left.kind == "Real" else self.builder.icmp_signed
        # As in Python, the first where they are equal.
        return Value(left.kind, self.builder.select(compare(sign, right.value, left.value), right.value, left.value))

    def _intrinsic(self, name: str, arguments: list[Value]) -> Value:
        kind = ir.FunctionType(DOUBLE, [DOUBLE] * len(arguments))
        function = self.routines.module.globals.get(name) or ir.Function(self.routines.module, kind, name)
        return Value("Real", self.builder.call(function, [each.value for each in arguments]))

    def _truth(self, each: ast.expr) -> ir.Value:
        if isinstance(each, ast.Constant) and isinstance(each.value, bool):
            return ir.Constant(_TRUTH, int(each.value))
        return self._as(self._value(each), "Truth").value

    def _alike(self, left: Value, right: Value, kind: str | None = None) -> tuple[Value, Value]:
        """Two values of one kind: that of the one that was computed, or real where either is."""
        if kind is None:
            kinds = {left.kind, right.kind}
            kind = "Real" if "Real" in kinds else "Word" if "Word" in kinds else left.kind
        return self._as(left, kind), self._as(right, kind)

    def _as(self, value: Value, kind: str, *, asked: bool = False) -> Value:
        """A value as another kind; a real number becomes whole only where `int` asks for it."""
        if value.kind == kind:
            return value
        if value.literal is not None and (kind == "Real" or float(value.literal).is_integer()):
            number = float(value.literal) if kind == "Real" else int(value.literal)
            return Value(kind, ir.Constant(_TYPES[kind], number), number)
        if kind == "Real" and value.kind == "Whole":
            return Value(kind, self.builder.sitofp(value.value, DOUBLE))
        if kind == "Real" and value.kind == "Word":
            return Value(kind, self.builder.uitofp(value.value, DOUBLE))
        if kind == "Word" and value.kind == "Whole":
            return Value(kind, value.value)
        if asked and value.kind == "Real":
            return Value(kind, self.builder.fptosi(value.value, INTEGER))
        raise TypeError(f"{self.routine.__name__} uses a {value.kind} as a {kind}")
