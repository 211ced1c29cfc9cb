"""The pages of the website, one file each; each has a `router` that `_app.py` lists."""
