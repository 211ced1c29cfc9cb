"""Stages of the team's own: functions, notebooks and programs, held to what they declare."""
