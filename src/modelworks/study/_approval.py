"""What must hold of a run before the team stands behind it, who signs it, and the words for all of that."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelworks.errors import ModelworksError, counted, fail, near
from modelworks.inputs import Repository
from modelworks.runs import (
    Promotion,
    Requirement,
    Run,
    Store,
    alike,
    condition,
    numbers_of,
    own_source,
    person,
    promotion_of,
    propose,
    sign,
    withdraw,
)
from modelworks.study._line import committed
from modelworks.study._record import files_of, rerun_record
from modelworks.study._repository import find_run, find_study, store_around
from modelworks.study._stale import fingerprints
from modelworks.study.own_stages._stage_study import Study, open_study
from modelworks.study.stages import CALIBRATE, REPORT


@dataclass(frozen=True, slots=True)
class Asked:
    """What a study asks of all its runs, as its files are now.

    `marks` are the fingerprints of its stages, `assumed` says of which study it is a variant and in what, `data`
    whether what it uses may be shown, `gates` what its numbers must be, and `needs` the roles in which its runs are
    signed. `files` are all that this follows from, besides our own code; None where programs of the team's own have a
    part.
    """

    marks: Mapping[str, str]
    assumed: Mapping[str, Any] | None
    data: Requirement
    gates: tuple[str, ...]
    needs: tuple[str, ...]
    files: tuple[Path, ...] | None


def asked_of(folder: Path, name: str) -> Asked:
    """What a study of the repository around a folder asks of its runs.

    Raises
    ------
    ModelworksError
        The letters of a study that can not be read.
    """
    study = open_study(find_study(name, start=folder))
    approval = study.inputs.study.approval
    return Asked(
        fingerprints(study),
        rerun_record(study).get("rerun"),
        _data(study),
        approval.gates,
        approval.sign or study.inputs.repository.sign,
        files_of(study),
    )


def requirements(folder: Path, run: Run, asked: Asked | None = None) -> tuple[Requirement, ...]:
    """Everything that must hold of a run of the repository around a folder, and whether it does.

    `asked` is what its study asks, where that is known already.
    """
    return tuple(_required(folder, store_around(folder), run, asked))


def needs_of(folder: Path, run: Run) -> tuple[str, ...]:
    """The roles in which a run of the repository around a folder is signed."""
    return asked_of(folder, _study_of(run)).needs


def promote(folder: Path, text: str, *, comment: str = "", by: str = "", login: str = "") -> Promotion:
    """Put a run forward as the one that the team stands behind, once all that is required of it holds.

    `by` is who does, as git knows them where nothing is said, and `login` what they sign in with on the website.

    Raises
    ------
    ModelworksError
        R170 with everything that does not hold, and what `modelworks.runs.propose` raises.
    """
    store, run = store_around(folder), find_run(folder, text)
    found = requirements(folder, run)
    needs = needs_of(folder, run) if all(each.holds for each in found) else ("nobody",)
    return propose(store, run.key, needs=needs, found=found, by=by or person(folder), comment=comment, login=login)


def sign_run(
    folder: Path,
    text: str,
    *,
    role: str = "",
    comment: str = "",
    by: str = "",
    roles: Collection[str] | None = None,
    seal: str | None = None,
    login: str = "",
) -> Promotion:
    """Sign a run that was put forward; in the role that is missing and that the person has, where none is said.

    `roles` are those that the person has; left out, the settings say it, and in a role for which they name nobody
    everybody signs. `login` is what the person signs in with on the website.

    Raises
    ------
    ModelworksError
        Y164 where the person does not have the role, and what `modelworks.runs.sign` raises.
    """
    store, run, repository = store_around(folder), find_run(folder, text), Repository.around(folder)
    who = by or person(folder)
    known = promotion_of(store, run.key)
    missing = known.missing if known is not None else ()
    mine = [each for each in missing if _has(repository, who, each, roles)]
    if (missing and not role and not mine) or (role and not _has(repository, who, role, roles)):
        fail(
            "Y164",
            f"{who} does not sign as {role or ' or '.join(missing)}",
            hint="under [approval.people] modelworks.toml says who does; on the website, its page of people",
        )
    return sign(
        store,
        run.key,
        by=who,
        role=role or next(iter(mine), ""),
        comment=comment,
        seal=seal,
        own_run=repository.own_run,
        login=login,
    )


def withdraw_run(folder: Path, text: str, *, reason: str, by: str = "") -> Promotion:
    """Take a run back, with a reason; what `modelworks.runs.withdraw` raises."""
    return withdraw(store_around(folder), find_run(folder, text).key, by=by or person(folder), reason=reason)


# -- what is required ----------------------------------------------------------------------------------


def _required(folder: Path, store: Store, run: Run, asked: Asked | None) -> Iterator[Requirement]:
    record = run.record
    verdict = record.get("verdict")
    yield Requirement("verdict", verdict in ("fine", "look"), str(verdict or "it was never judged"))
    has_report = run.file("report.html") is not None
    yield Requirement("report", has_report, "there" if has_report else "there is none: modelworks report")
    changed = store.verify(run.key)
    yield Requirement("files", not changed, "; ".join(changed[:3]) or "as they were written")
    known = record.get("provenance") or {}
    is_committed = committed(known)
    said = f"commit {str(known['commit'])[:7]}" if is_committed else "not committed when it was made; commit, then run"
    yield Requirement("code", is_committed, said)
    try:
        asked = asked or asked_of(folder, _study_of(run))
    except ModelworksError as error:
        yield Requirement("inputs", False, f"the study can not be read any more: {error.letters[0].message}")
        return
    if assumed := (record.get("rerun") or asked.assumed):
        yield _otherwise(assumed)
    yield _fresh([asked.marks, *_carried(folder, run, assumed)], run)
    yield asked.data
    yield from (_gate(each, run) for each in asked.gates)


def _study_of(run: Run) -> str:
    return str(run.record.get("study") or run.study)


def _otherwise(assumed: Mapping[str, Any]) -> Requirement:
    """No commit holds what was assumed for one run; the run does, and its signers are told what they sign."""
    changes = "; ".join(assumed.get("changes", ()))
    return Requirement(
        "assumptions", True, f"not those of `{assumed.get('of')}`, but with {changes}: the run keeps them"
    )


def _carried(folder: Path, run: Run, assumed: Mapping[str, Any] | None) -> Iterator[Mapping[str, str]]:
    """The marks of a variant that began with the draws of the study that it is a variant of."""
    if not assumed:
        return
    # Where that can not be read any more, the run has to have been calibrated by itself.
    with contextlib.suppress(ModelworksError):
        origin = fingerprints(open_study(find_study(str(assumed.get("of")), start=folder))).get(CALIBRATE)
        if origin is not None:
            yield fingerprints(open_study(find_study(_study_of(run), start=folder)), origin)


def _fresh(ways: Iterable[Mapping[str, str]], run: Run) -> Requirement:
    """Nothing that made the numbers is another now; the words of a page may be."""
    then = dict(run.record.get("fingerprints") or {})
    unlike = min(
        ([name for name, mark in marks.items() if name != REPORT and then.get(name) != mark] for marks in ways), key=len
    )
    if not unlike:
        return Requirement("inputs", True, "the same today")
    made_by = (run.record.get("provenance") or {}).get("modelworks") or {}
    ours = "the study" if made_by.get("sha256") == own_source().sha256 else "the study or modelworks itself"
    return Requirement("inputs", False, f"{ours} has changed since, and {', '.join(unlike)} would be done again")


def _data(study: Study) -> Requirement:
    """No study uses sensitive data itself; what was made of them may have become so since."""
    catalogue, used = study.inputs.catalogue, study.inputs.datasets
    closed = [name for name in used if catalogue[name].is_sensitive]
    if closed:
        return Requirement("data", False, f"{', '.join(closed)} is sensitive")
    aggregate = [name for name in used if catalogue[name].sensitivity == "aggregate"]
    also = f", {', '.join(aggregate)} as an aggregate of what is not" if aggregate else ""
    if not used:
        return Requirement("data", True, "it uses no dataset of the catalogue")
    return Requirement("data", True, f"{counted(len(used), 'dataset')} for everybody to see{also}")


def _gate(text: str, run: Run) -> Requirement:
    asked = condition(text)
    numbers = {each["name"]: float(each["value"]) for each in numbers_of(run.record)}
    if asked.name not in numbers:
        return Requirement(text, False, f"the run has no number `{asked.name}`: {near(asked.name, numbers)}")
    return Requirement(text, asked.holds(numbers[asked.name]), f"it is {numbers[asked.name]:g}")


def _has(repository: Repository, who: str, role: str, roles: Collection[str] | None) -> bool:
    """Whether somebody signs in a role."""
    if roles is not None:
        return role in roles
    named = repository.signers.get(role)
    return named is None or alike(who) in {alike(each) for each in named}
