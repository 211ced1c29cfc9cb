"""What pages say of a study: of its runs, its data and its assumptions."""
