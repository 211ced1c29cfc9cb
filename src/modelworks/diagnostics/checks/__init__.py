"""One question a file: arrays in, a `Check` out.

To add a question, copy the shortest file (`divergences.py`): limits with their source at the top, one
function that returns a `Check` of the file's name, and a line in `_diagnose.py`.
"""
