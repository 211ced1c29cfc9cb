"""What a study asks of a run before the team stands behind it, and whose signatures that takes."""

from __future__ import annotations

from dataclasses import dataclass

from modelworks.inputs._fields import Fields

EXAMPLE = "{sign: [reviewer], gates: ['effective_draws >= 400']}"


@dataclass(frozen=True, slots=True)
class ApprovalSettings:
    """`sign` are the roles whose signatures it takes; where none is said, those of the repository's settings.

    `gates` are conditions on numbers of the run, as `modelworks list --where` takes them.
    """

    sign: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()


def read_approval(owner: Fields) -> ApprovalSettings:
    """What stands under `approval`; whether a gate can be understood is for those who know conditions."""
    fields = owner.below("approval", ("sign", "gates"), EXAMPLE)
    return ApprovalSettings(fields.texts("sign"), fields.texts("gates"))
