"""Loaders for files that teams really have, for functions under `data/prepare/`: a path in, a tidy table out.

Each knows one publisher's layout, names what it wants in that publisher's words, and tells of every mistake of the
file at its line. Nothing is mended silently: what may be mended in more than one way is an argument.
"""

from modelworks.inputs.loaders.contacts import contact_matrices, contact_matrix
from modelworks.inputs.loaders.line_list import line_list
from modelworks.inputs.loaders.mobility import google_mobility
from modelworks.inputs.loaders.population import un_population
from modelworks.inputs.loaders.tuberculosis import who_tb_burden, who_tb_notifications
from modelworks.inputs.loaders.vaccination import owid_vaccination, roll_out

__all__ = [
    "contact_matrices",
    "contact_matrix",
    "google_mobility",
    "line_list",
    "owid_vaccination",
    "roll_out",
    "un_population",
    "who_tb_burden",
    "who_tb_notifications",
]
