"""The parts of lowering a declaration to a graph; `_lower.py` beside this folder puts them to work in turn."""
