"""Studies as jobs: estimated, pinned, handed over, scheduled, carried out, followed, explained, cleaned up after."""
