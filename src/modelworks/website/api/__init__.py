"""The JSON API, version 1: what the pages show and do, for programs. `_models.py` says what every answer holds."""
