"""The loops of a run with fixed steps, forward and backward, around the parts of a model."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from modelworks.model._program import Program
from modelworks.model.backends._emit import DOUBLE, INTEGER, POINTER
from modelworks.model.backends._loops import Loops
from modelworks.model.backends._parts import Layout, Parts
from modelworks.model.solvers._method import FixedStep

# The arguments of the exported functions: pointers to float64 (`counts`, `resets`, `suspect`: int64), but for the
# last ones. `begin` is where the state at the first output lies, of several runs one behind another; zero for the
# model's own.
_COMMON = ("parameters", "run", "data", "moment", "steps", "counts", "resets")
FORWARD = (*_COMMON, "outputs", "starts", "at_outputs", "work", "suspect", "number", "tolerated", "begin")
BACKWARD = (*_COMMON, "starts", "at_outputs", "cotangent", "run_bar", "moment_bar", "gradient", "work", "number")
SEVERAL = (*FORWARD, "runs")
# Of a number.
BYTES = 8
_KINDS = {"number": INTEGER, "tolerated": DOUBLE, "begin": INTEGER, "runs": INTEGER}


class Writer(Parts):
    """Writes the two loops that call a model's parts."""

    def __init__(self, program: Program, layout: Layout, method: FixedStep) -> None:
        super().__init__(program, layout)
        self.method = method

    def forward(self) -> ir.Module:
        """The module of one run."""
        self._before_run()
        self._at_moment()
        self._stage()
        self._observe()
        self._forward()
        self._several()
        return self.llvm

    def backward(self) -> ir.Module:
        """The module of its adjoint."""
        self._before_run_adjoint()
        self._at_moment_adjoint()
        self._derivative()
        self._derivative_adjoint()
        self._observe_adjoint()
        self._backward()
        return self.llvm

    # -- loops -----------------------------------------------------------------------------------

    def _open(self, name: str, answer: ir.Type, arguments: Sequence[str]) -> tuple[Loops, dict[str, ir.Value]]:
        """Begin an exported function; its arguments are buffers, but for the few named otherwise."""
        kinds = [_KINDS.get(each, POINTER) for each in arguments]
        loops = Loops(ir.Function(self.llvm, ir.FunctionType(answer, kinds), name), self.functions)
        return loops, dict(zip(arguments, loops.arguments, strict=True))

    def _whole_states(self, loops: Loops, work: ir.Value, number: int) -> list[ir.Value]:
        """Whole states in the working memory."""
        return [loops.element(work, loops.integer(k * self.layout.state)) for k in range(number)]

    def _at(self, loops: Loops, given: dict[str, ir.Value], point: ir.Value) -> list[ir.Value]:
        """The three inputs besides the state that a function looks at, for one moment."""
        data = loops.row(given["data"], point, max(self.layout.data.size, 1))
        return [given["run"], data, self._moment_row(loops, given["moment"], point)]

    def _moment_row(self, loops: Loops, buffer: ir.Value, point: ir.Value) -> ir.Value:
        return loops.row(buffer, point, max(self.layout.moment.size, 1))

    def _moments_of(self, loops: Loops, step: ir.Value) -> list[ir.Value]:
        first = loops.builder.mul(step, loops.integer(3))
        return [loops.builder.add(first, loops.integer(k)) for k in range(3)]

    def _resets(self, loops: Loops, given: dict[str, ir.Value], output: ir.Value) -> ir.Value:
        """Whether events are counted anew after an output."""
        asked = loops.builder.load(loops.element(given["resets"], output, INTEGER), typ=INTEGER)
        return loops.builder.icmp_signed("!=", asked, loops.integer(0))

    def _forward(self) -> None:
        """One run. `number` of outputs is negative when the tape is to be kept."""
        loops, given = self._open("forward", INTEGER, FORWARD)
        self.functions["forward"] = loops.function
        # Both exported functions hold it, else.
        loops.function.attributes.add("noinline")
        b, size, people = loops.builder, self.layout.state, self.layout.people
        state, result, one, two = self._whole_states(loops, given["work"], 4)
        keep = b.icmp_signed("<", given["number"], loops.integer(0))
        number = b.select(keep, b.neg(given["number"]), given["number"])
        failed, done = loops.variable(-1), loops.variable(0)
        last = b.mul(loops.total(given["counts"], number), loops.integer(3))
        loops.call("before_run", given["parameters"], given["run"], given["suspect"])
        own = b.icmp_signed("==", given["begin"], loops.integer(0))
        begin = b.select(own, given["run"], b.inttoptr(given["begin"], POINTER))
        for each in (state, result):
            loops.copy(each, begin, size)
        # Below this a compartment is emptier than round-off can make it, of the people at the model's own start.
        floor = b.fneg(b.fmul(loops.sum_of(given["run"], people), given["tolerated"]))
        with loops.count(number) as output:
            with loops.count(b.load(loops.element(given["counts"], output, INTEGER), typ=INTEGER)):
                step = b.load(done, typ=INTEGER)
                with loops.when(keep):
                    loops.copy(loops.row(given["starts"], step, size), state, size)
                at = [self._at(loops, given, point) for point in self._moments_of(loops, step)]
                for inputs in at:
                    loops.call("at_moment", *inputs, given["suspect"])
                h = b.load(loops.element(given["steps"], step), typ=DOUBLE)
                here, there, other = state, one, two
                reaches = (*self.method.reaches, 0.0)
                for stage, weight in enumerate(self.method.weights):
                    factors = loops.numbers(loops.scaled(h, weight), loops.scaled(h, reaches[stage]))
                    loops.call("stage", state, here, result, there, *at[self.method.moments[stage]], factors)
                    here, there, other = there, other, there
                loops.copy(state, result, size)
                b.store(b.add(step, loops.integer(1)), done)
            inputs = self._at(loops, given, b.add(output, last))
            loops.call("at_moment", *inputs, given["suspect"])
            with loops.when(keep):
                loops.copy(loops.row(given["at_outputs"], output, size), state, size)
            row = loops.row(given["outputs"], output, self.layout.output)
            loops.call("observe", state, *inputs, row, given["suspect"])
            loops.note_below(state, people, floor, failed, output)
            with loops.when(self._resets(loops, given, output)):
                for each in (state, result):
                    loops.clear(each, people, size)
        b.ret(b.load(failed, typ=INTEGER))

    def _several(self) -> None:
        """Runs one after another, none with a tape, up to the first that failed or met a guard: its index, or -1."""
        loops, given = self._open("several", INTEGER, SEVERAL)
        b = loops.builder
        failed = loops.variable(-1)
        parameters = len(self.program.parameters) * (self.program.width if self.graph.runs else 1)
        size = b.mul(given["number"], loops.integer(self.layout.output))
        own = b.icmp_signed("==", given["begin"], loops.integer(0))
        apart = b.select(own, loops.integer(0), loops.integer(self.layout.state * BYTES))
        with loops.count(given["runs"]) as run, loops.when(loops.is_negative(failed)):
            arguments = {name: given[name] for name in FORWARD}
            arguments["parameters"] = loops.row(given["parameters"], run, parameters)
            arguments["outputs"] = loops.element(given["outputs"], b.mul(run, size))
            arguments["begin"] = b.add(given["begin"], b.mul(run, apart))
            status = b.call(self.functions["forward"], list(arguments.values()))
            met = b.icmp_signed("!=", b.load(given["suspect"], typ=INTEGER), loops.integer(0))
            with loops.when(b.or_(met, b.icmp_signed(">=", status, loops.integer(0)))):
                b.store(run, failed)
        b.ret(b.load(failed, typ=INTEGER))

    def _backward(self) -> None:
        """The adjoint of one run; `run_bar`, `moment_bar` and `gradient` come in as zeros."""
        loops, given = self._open("backward", ir.VoidType(), BACKWARD)
        b, size, run_bar = loops.builder, self.layout.state, given["run_bar"]
        *scratch, state_bar = self._whole_states(loops, given["work"], len(self.method.weights) + 4)
        loops.clear(state_bar, 0, size)
        steps_taken = loops.total(given["counts"], given["number"])
        last = b.mul(steps_taken, loops.integer(3))
        remaining = loops.variable(0)
        b.store(steps_taken, remaining)
        with loops.count_down(given["number"]) as output:
            point = b.add(output, last)
            # Where the accumulators were emptied after this output, nothing later depends on what they held.
            with loops.when(self._resets(loops, given, output)):
                loops.clear(state_bar, self.layout.people, size)
            observed = loops.row(given["at_outputs"], output, size)
            cotangent = loops.row(given["cotangent"], output, self.layout.output)
            moment_bar = self._moment_row(loops, given["moment_bar"], point)
            inputs = self._at(loops, given, point)
            loops.call("observe_adjoint", observed, *inputs, cotangent, state_bar, run_bar, moment_bar)
            loops.call("at_moment_adjoint", *inputs[:2], moment_bar, run_bar)
            with loops.count(b.load(loops.element(given["counts"], output, INTEGER), typ=INTEGER)):
                step = b.sub(b.load(remaining, typ=INTEGER), loops.integer(1))
                b.store(step, remaining)
                self._step_back(loops, given, step, scratch, state_bar)
        # The initial state is the front of the run buffer.
        loops.combine(run_bar, run_bar, state_bar, ir.Constant(DOUBLE, 1.0), size)
        loops.call("before_run_adjoint", given["parameters"], run_bar, given["gradient"])
        b.ret_void()

    def _step_back(
        self,
        loops: Loops,
        given: dict[str, ir.Value],
        step: ir.Value,
        scratch: Sequence[ir.Value],
        state_bar: ir.Value,
    ) -> None:
        """The adjoint of one step: from the state after it to the state before."""
        b, size, run_bar = loops.builder, self.layout.state, given["run_bar"]
        slope, *later, seed, bar, sum_bar = scratch
        method, last = self.method, len(self.method.weights) - 1
        h = b.load(loops.element(given["steps"], step), typ=DOUBLE)
        points = self._moments_of(loops, step)
        at = [self._at(loops, given, point) for point in points]
        bars = [self._moment_row(loops, given["moment_bar"], point) for point in points]
        states = [loops.row(given["starts"], step, size), *later]
        for stage in range(last):
            loops.call("derivative", states[stage], *at[method.moments[stage]], slope)
            loops.combine(states[stage + 1], states[0], slope, loops.scaled(h, method.reaches[stage]), size)
        loops.copy(sum_bar, state_bar, size)
        for stage in range(last, -1, -1):
            # Adjoint of this stage's slope: through the result, and through the next stage's state.
            loops.scale(seed, state_bar, loops.scaled(h, method.weights[stage]), size)
            if stage < last:
                loops.combine(seed, seed, bar, loops.scaled(h, method.reaches[stage]), size)
            here = method.moments[stage]
            loops.call("derivative_adjoint", states[stage], *at[here], seed, bar, run_bar, bars[here])
            loops.combine(sum_bar, sum_bar, bar, ir.Constant(DOUBLE, 1.0), size)
        loops.copy(state_bar, sum_bar, size)
        for inputs, moment_bar in zip(at, bars, strict=True):
            loops.call("at_moment_adjoint", *inputs[:2], moment_bar, run_bar)
