"""Scenarios and named quantities from a study's draws, and what is said of them.

Results depend on every file here; see `_stale.py`.
"""
