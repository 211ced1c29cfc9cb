"""The parts of writing a model's equations; `_equations.py` beside this folder puts them together."""
