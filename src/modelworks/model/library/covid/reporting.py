"""What a model of COVID-19 reports."""

from __future__ import annotations

from collections.abc import Sequence

from modelworks.model._declaration import Output
from modelworks.model._expression import Expression, Number, events, expression, people
from modelworks.model.library.covid.course import INFECTED, Course
from modelworks.model.library.covid.strains import NAIVE, Strain
from modelworks.model.library.covid.vaccination import RollOut


def outputs(
    infections: Sequence[str],
    detection: Number,
    course: Course,
    *,
    strains: Sequence[Strain] = (),
    histories: Sequence[str] = (),
    vaccination: RollOut | None = None,
    traced: Expression | None = None,
) -> dict[str, Output]:
    """Events since the output before, and who there is now; `infections` are the flows that infect."""
    found = {
        "infections": Output(sum((events(each) for each in infections), expression(0.0)), title="Infections"),
        "incidence": Output(
            events("onset", by=["age"]), by=["age"], title="Disease that begins, with and without symptoms, by age"
        ),
        "notifications": Output(events("progression", clinical=course.found), title="Cases found"),
        "admissions": Output(events("progression", clinical=course.in_care), title="Admissions to hospital"),
        "hospital_occupancy": Output(people("late_active", clinical=course.in_care), title="In hospital"),
        "deaths": Output(events("death"), title="Deaths"),
        "deaths_by_age": Output(events("death", by=["age"]), by=["age"], title="Deaths by age"),
        "seropositivity": Output(_seropositive(histories) / people(), "proportion", title="Recovered of infection"),
        "detection": Output(
            expression(detection), "proportion", title=f"{course.can_be_found} who are found, tracing apart"
        ),
    }
    if course.intensive_care:
        intensive = course.in_care[-1]
        found["icu_admissions"] = Output(
            events("progression", clinical=intensive), title="Of the admitted, those to intensive care"
        )
        found["icu_occupancy"] = Output(
            people("late_active", clinical=intensive), title="Of those in hospital, in intensive care"
        )
    if traced is not None:
        found["traced"] = Output(traced, "proportion", title="Newly infected who are traced")
    for each in strains if len(strains) > 1 else ():
        found[f"share_{each.name}"] = Output(
            people(*INFECTED, strain=each.name) / people(*INFECTED), "proportion", title=f"Infected with {each.name}"
        )
    for dose in _doses(vaccination):
        covered = vaccination.strata[vaccination.strata.index(dose) :] if vaccination else ()
        found[f"coverage_{dose}"] = Output(
            people(vaccination=covered) / people(), "proportion", title=f"Had {dose.replace('_', ' ')} or more"
        )
    return found


def _seropositive(histories: Sequence[str]) -> Expression:
    """Whoever recovered once; where it is not remembered, whoever is still immune."""
    if not histories:
        return people("recovered")
    return people(history=[each for each in histories if each != NAIVE])


def _doses(vaccination: RollOut | None) -> list[str]:
    return [each for each in vaccination.strata if each.startswith("dose")] if vaccination else []
