"""A study's files bound to its model: what each parameter, target, dataset and date of theirs is to the model.

Results depend on every file here; see `_stale.py`.
"""
