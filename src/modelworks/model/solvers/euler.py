"""Explicit Euler, for textbooks: difference equations, in which people move by the rates at a step's start.

Nobody leaves a compartment that they entered in the same step, and the shares who move are rates times the step, as in
the difference equations of Vynnycky & White, An Introduction to Infectious Disease Modelling (2010). So the step is
part of the model: another step is another model, and there is no error to speak of.
"""

from __future__ import annotations

from modelworks.model.solvers._method import FixedStep

EULER = FixedStep("euler", (1.0,), (), (0,), order=None)
