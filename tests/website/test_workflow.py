"""Where time goes and when mistakes are caught, from runs, jobs and promotions that were made up."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from visitors import Site

from modelworks.jobs import Job, Order
from modelworks.runs import Promotion, Run, Word, promotions, propose, sign, withdraw
from modelworks.study import new_repository
from modelworks.website._house import Workspace
from modelworks.website._studies import studies
from modelworks.website._trends import HEIGHT, Known, Trend, trends
from modelworks.website._workflow import Passage, bottleneck, caught, columns, first_approved, flow
from modelworks.website.pages.workflow import figures, jobs_of_runs, maps

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BEFORE = {"simulate": (), "calibrate": (), "diagnose": ("calibrate",), "report": ("simulate", "diagnose")}


def key(name: str, study: str = "flu") -> str:
    return f"{study}/sir/here/20261121T120000Z/abcdef0-{name}"


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def way(name: str = "aaaaaa", **moments: float) -> Passage:
    """A run whose stages took 30 s; moments are minutes after noon."""
    stages = {"simulate": None, "calibrate": 30.0, "report": 2.0}
    return Passage(key(name), stages, **{moment: after(minutes) for moment, minutes in moments.items()})


def promotion(
    name: str, state: str = "approved", *, approved: str = "", withdrawn: bool = False, by: str = ""
) -> Promotion:
    said = [Word(key(name), 1, kind, "Ada", "2026-11-21T12:00:00.000Z", "seal") for kind in ("proposed", "withdrawn")]
    return Promotion(key(name), 1, state, said[0], (), said[1] if withdrawn else None, approved, by)


def failed(reason: str) -> Job:
    order = Order("flu", ("true",))
    return Job(order.id, 1, "flu", "failed", order, 1, 3, 0, "", "", {"reason": reason}, "", "", "")


def test_a_stage_stands_to_the_right_of_all_it_takes_from() -> None:
    assert columns(BEFORE) == [["simulate", "calibrate"], ["diagnose"], ["report"]]


def test_stages_in_a_circle_are_still_drawn_each_once() -> None:
    """The files of a study may be wrong; the page says so elsewhere and is shown all the same."""
    found = columns({"a": ("b",), "b": ("a",), "c": ("missing",)})
    assert sorted(name for column in found for name in column) == ["a", "b", "c"]


def test_each_step_is_timed_by_the_runs_that_took_it() -> None:
    """A stage that was kept from an earlier run took nothing, which would say nothing of how long it takes."""
    ways = [way(submitted=0, begun=1, finished=3), way(submitted=0, begun=5, finished=6, proposed=36, approved=96)]
    steps = {step.name: step for column in flow(BEFORE, ways) for step in column}
    assert steps["Waits its turn"].seconds == (60.0, 300.0)
    assert steps["Waits its turn"].middle == 180.0
    assert (steps["calibrate"].seconds, steps["simulate"].seconds) == ((30.0, 30.0), ())
    assert steps["Waits to be put forward"].seconds == (1800.0,)
    assert steps["Waits for signatures"].seconds == (3600.0,)
    assert [column[0].name for column in flow(BEFORE, ways)][:3] == [
        "From edit to run",
        "Waits its turn",
        "simulate",
    ]


def test_the_bottleneck_is_the_longest_median_and_no_single_bad_day() -> None:
    """One run that waited for a week must not hide that every run calibrates for long."""
    turns = [way(submitted=0, begun=0.1), way(submitted=0, begun=0.2), way(submitted=0, begun=10_000)]
    found = bottleneck(step for column in flow(BEFORE, turns) for step in column)
    assert found is not None
    assert found[0].name == "calibrate"
    # 30 s of 12 s, 30 s and 2 s.
    assert "in the stage calibrate: 30.0 s, 68% of all steps" in found[1]
    assert bottleneck([]) is None


def test_a_run_without_a_new_edit_did_not_wait_since_the_old_one() -> None:
    """What is run every week would otherwise seem to wait longer each week."""
    ways = [way("aaaaaa", edited=0, submitted=10_000), way("bbbbbb", edited=0, submitted=5), way("cccccc", submitted=0)]
    assert flow(BEFORE, ways)[0][0].seconds == (300.0,)


def test_clocks_that_differ_make_no_time_negative() -> None:
    assert way(submitted=1, begun=0.5).between("submitted", "begun") == 0.0


def test_from_edit_to_approval_only_the_first_approval_of_an_edit_counts() -> None:
    """An old edit that is run every week would otherwise be slower each week; without a commit, submission counts."""
    ways = [
        way("aaaaaa", edited=0, submitted=5, approved=60),
        way("bbbbbb", edited=0, submitted=900, approved=1000),
        way("cccccc", submitted=100, approved=130),
        way("dddddd", edited=0, submitted=5),
    ]
    found = first_approved(reversed(ways))
    assert [(each.run, when, seconds) for each, when, seconds in found] == [
        (key("aaaaaa"), after(60), 3600.0), (key("cccccc"), after(130), 1800.0),
    ]  # fmt: skip


def test_errors_are_counted_by_when_they_were_caught() -> None:
    """A machine that failed is no error of the team's; what is superseded by new data was not wrong."""
    approved = "2026-11-21T13:00:00.000Z"
    told = [
        promotion("aaaaaa", "withdrawn", withdrawn=True),
        promotion("bbbbbb", "withdrawn", withdrawn=True, approved=approved),
        promotion("cccccc", "superseded", approved=approved, by=key("dddddd")),
        promotion("eeeeee", "superseded", approved=approved, by=key("ffffff")),
        promotion("ffffff", "changed", approved=approved),
        promotion("gggggg", approved=approved),
    ]
    found = caught(
        [failed("letters"), failed("exit"), failed("walltime"), failed("needed")], 4, told,
        lambda one, other: other.endswith("dddddd"),
    )  # fmt: skip
    assert (found.failed, found.stopped, found.taken_back) == (2, 4, 1)
    assert (found.withdrawn, found.changed, found.corrected) == (1, 1, 1)
    assert (found.before, found.after) == (7, 3)


# -- month by month ----------------------------------------------------------------------------------------


def signed_at(name: str, moment: str, *, study: str = "flu", state: str = "approved", **more: Any) -> Promotion:
    """A run that was approved at a moment, and what came of it; withdrawn at another, where `withdrawn` says so."""
    run = key(name, study)
    ended = Word(run, 1, "withdrawn", "Ada", more["withdrawn"], "seal") if "withdrawn" in more else None
    by = key(more["by"], study) if "by" in more else ""
    return Promotion(run, 1, state, Word(run, 1, "proposed", "Ada", moment, "seal"), (), ended, moment, by)


def passed(promotion: Promotion, edited: str) -> Passage:
    return Passage(
        promotion.run, {}, datetime.fromisoformat(edited), approved=datetime.fromisoformat(promotion.approved)
    )


def counted(*promotions: Promotion, ways: Any = (), failed: Any = (), is_cut: bool = False, **more: Any) -> list[Trend]:
    """The trends as of the first hours of March 2026 in Kuala Lumpur, which is February in UTC."""
    known = Known(promotions, ways, failed, is_cut, more.get("stopped", {}), more.get("copies", {}))
    now = datetime.fromisoformat("2026-03-01T05:00:00+08:00")
    return trends(known, {"flu": "Influenza"}, now, lambda one, other: other.endswith("dddddd"))


def in_month(found: Trend, name: str) -> tuple[Any, ...]:
    """The median in hours, of how many results, and errors before and after an approval."""
    [month] = [each for each in found.months if each.name == name]
    hours = None if month.middle is None else month.middle / 3600
    return hours, len(month.took), month.caught.before, month.caught.after


def test_a_month_is_one_of_utc_and_one_without_a_result_has_no_median() -> None:
    """By hand: 2, 4 and 9 hours in January, of which one was approved on its last evening in UTC, when it was February
    where the team is; nothing in December."""
    first = signed_at("aaaaaa", "2026-01-05T12:00:00.000Z")
    second = signed_at("bbbbbb", "2026-01-31T23:59:59.000Z")
    third = signed_at("cccccc", "2026-01-10T12:00:00.000Z", study="tb")
    ways = [
        passed(first, "2026-01-05T18:00:00+08:00"), passed(second, "2026-02-01T03:59:59+08:00"),
        passed(third, "2026-01-10T03:00:00+00:00"),
    ]  # fmt: skip
    together, flu, tb = counted(first, second, third, ways=ways)
    assert (together.title, flu.title, tb.title) == ("All studies together", "Influenza", "tb")
    assert [each.name for each in flu.months] == [
        "2025-03", "2025-04", "2025-05", "2025-06", "2025-07", "2025-08", "2025-09", "2025-10", "2025-11", "2025-12",
        "2026-01", "2026-02",
    ]  # fmt: skip
    assert in_month(flu, "2026-01") == (3.0, 2, 0, 0)
    assert in_month(tb, "2026-01") == (9.0, 1, 0, 0)
    assert in_month(together, "2026-01") == (4.0, 3, 0, 0)
    assert {in_month(together, name) for name in ("2025-12", "2026-02")} == {(None, 0, 0, 0)}
    # The longest bar is January's, and all others are none.
    assert [high for _, high in together.times()] == [0.0] * 10 + [HEIGHT, 0.0]


def test_an_error_counts_in_the_month_in_which_it_was_caught() -> None:
    """And not in that of the run: what was approved in November and withdrawn in January is January's."""
    told = [
        signed_at("aaaaaa", "2025-11-02T00:00:00.000Z", state="withdrawn", withdrawn="2026-01-01T00:00:00.000Z"),
        signed_at("", "", state="withdrawn", withdrawn="2025-12-31T23:59:59.999Z"),
        signed_at("cccccc", "2025-11-03T00:00:00.000Z", state="superseded", by="dddddd"),
        signed_at("dddddd", "2026-01-15T00:00:00.000Z"),
        signed_at("eeeeee", "2025-11-03T00:00:00.000Z", state="superseded", by="ffffff"),
        signed_at("ffffff", "2026-01-16T00:00:00.000Z", state="changed"),
    ]  # fmt: skip
    jobs = [
        replace(failed("exit"), finished="2026-01-31T23:30:00.000Z"),
        replace(failed("node"), finished="2026-01-02T00:00:00.000Z"),
    ]
    together, flu, stopped = counted(*told, failed=jobs, stopped={("flu", "2026-01"): 3, ("tb", "2026-02"): 1})
    assert in_month(flu, "2025-12") == (None, 0, 1, 0)
    # Three runs with the verdict stop; withdrawn, superseded by a run of the same data, and changed.
    assert in_month(flu, "2026-01") == (None, 0, 3, 3)
    # And the job of no study that failed of a mistake; the other one's machine failed.
    assert in_month(together, "2026-01") == (None, 0, 4, 3)
    assert (in_month(stopped, "2026-02"), in_month(together, "2026-02")) == ((None, 0, 1, 0), (None, 0, 1, 0))
    assert (together.total.caught.before, together.total.caught.after) == (6, 3)
    below, upon = flu.before()[10], flu.after()[10]
    assert (below, upon) == ((HEIGHT / 2, HEIGHT / 2), (0.0, HEIGHT / 2))


def test_an_old_edit_that_is_approved_again_is_in_no_later_month() -> None:
    """Its first approval counts, also where that lies before the months that are shown."""
    ways = [
        passed(signed_at("aaaaaa", "2024-05-01T00:00:00.000Z"), "2024-04-30T00:00:00+00:00"),
        passed(signed_at("bbbbbb", "2026-01-01T00:00:00.000Z"), "2024-04-30T00:00:00+00:00"),
    ]
    assert [each.title for each in counted(ways=ways)] == ["All studies together"]


def test_a_copy_in_which_something_is_assumed_otherwise_counts_as_its_study() -> None:
    labelled = Order("flu", ("true",), labels={"study": "flu-rate-2-3f5a1c"})
    job = replace(failed("exit"), order=labelled, finished="2026-02-02T00:00:00.000Z")
    [_, flu] = counted(failed=[job], copies={"flu-rate-2-3f5a1c": "flu"})
    assert (flu.title, in_month(flu, "2026-02")) == ("Influenza", (None, 0, 1, 0))


def test_months_of_which_not_all_is_known_are_not_shown() -> None:
    """Only so many of the jobs that failed are asked for: before the earliest of them there may have been others."""
    jobs = [replace(failed("exit"), finished=f"2025-{month}-10T00:00:00.000Z") for month in ("12", "11")]
    together = counted(failed=jobs, is_cut=True)[0]
    assert [each.name for each in together.months] == ["2025-12", "2026-01", "2026-02"]
    assert together.total.caught.failed == 1


# -- what is read ------------------------------------------------------------------------------------------


def git(root: Path, *words: str, when: str = "") -> str:
    environment = {**os.environ, "GIT_COMMITTER_DATE": when, "GIT_AUTHOR_DATE": when} if when else None
    given = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    command = ["git", "-C", str(root), *given, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A repository whose study was committed at noon, and its README an hour later."""
    root = new_repository(tmp_path / "ours")
    git(root, "init", "--quiet")
    for files, when in (("studies", NOON), (".", NOON + timedelta(hours=1))):
        git(root, "add", files)
        git(root, "commit", "--quiet", "--message", "an edit", when=when.isoformat())
    return Workspace("ours", root)


def published(workspace: Workspace, *, dirty: bool = False) -> Run:
    """A run of the study as it was committed, handed over as a job."""
    file = workspace.root / "studies" / "first-study" / "study.yaml"
    record = {
        "study": "first-study", "finished": "2026-11-21T15:00:00+00:00", "verdict": "fine",
        "stages": [{"name": "simulate", "seconds": 3.0, "reused": True}, {"name": "report", "seconds": 4.5}],
        "provenance": {"commit": git(workspace.root, "rev-parse", "HEAD"), "dirty": dirty, "person": "Ada"},
    }  # fmt: skip
    files = {"inputs/studies/first-study/study.yaml": file}
    run = workspace.store.publish(("first-study", "sir", "here"), stages={}, record=record, files=files)
    order = Order("first-study: report", ("true",), labels={"study": "first-study"})
    claim = workspace.queue.begin(order, workspace.queue.enter("here"), "handle")
    workspace.queue.finish(claim, "done", {"state": "done", "result": {"run": run.id, "published": True}})
    return run


def test_a_runs_way_is_put_together_from_commit_job_record_and_promotion(workspace: Workspace) -> None:
    """The edit is of the study's own files: a commit of other files made nobody wait."""
    run = published(workspace)
    propose(workspace.store, run.key, needs=["reviewer"], found=(), by="Ada")
    signed = sign(workspace.store, run.key, by="Grace", role="reviewer")
    [found] = maps(workspace, promotions(workspace.index), jobs_of_runs(workspace))
    [told] = found.ways
    [job] = workspace.queue.jobs()
    assert told.edited == NOON
    assert (told.submitted, told.begun) == (datetime.fromisoformat(job.submitted), datetime.fromisoformat(job.started))
    assert told.stages == {"simulate": None, "report": 4.5}
    assert told.finished == NOON + timedelta(hours=3)
    assert told.approved == datetime.fromisoformat(signed.approved)
    assert [step.name for column in found.flow for step in column][2:7] == [
        "simulate", "calibrate", "diagnose", "project", "report",
    ]  # fmt: skip


def test_the_months_of_a_study_are_counted_from_what_was_signed_and_failed(workspace: Workspace) -> None:
    """As the page counts them: a second approval of the same edit is in no month, and a job that failed is told as soon
    as it has."""
    first, second = published(workspace), published(workspace)
    for run in (first, second):
        propose(workspace.store, run.key, needs=["reviewer"], found=(), by="Ada")
        signed = sign(workspace.store, run.key, by="Grace", role="reviewer")
        if run is first:
            seconds = (datetime.fromisoformat(signed.approved) - NOON).total_seconds()
    withdraw(workspace.store, second.key, by="Grace", reason="wrong")
    now = datetime.fromisoformat(signed.approved) + timedelta(days=20)
    counted = figures(workspace, promotions(workspace.index), jobs_of_runs(workspace), now)
    assert counted.total.took == (max(seconds, 0.0),)
    # The first was superseded by a run of the same data, and that one withdrawn.
    assert (counted.total.caught.before, counted.total.caught.after) == (0, 2)
    order = Order("first-study: report", ("true",), labels={"study": "first-study"})
    claim = workspace.queue.begin(order, workspace.queue.enter("here"), "handle")
    workspace.queue.finish(claim, "failed", {"reason": "letters"})
    again = figures(workspace, promotions(workspace.index), jobs_of_runs(workspace), now)
    assert (again.total.caught.failed, again.total.caught.after) == (1, 2)
    [study] = studies(workspace)
    assert re.findall("<summary>(.*)</summary>", again.drawn) == ["All studies together", study.title]


def test_of_a_run_that_no_commit_holds_no_edit_is_known(workspace: Workspace) -> None:
    run = published(workspace, dirty=True)
    propose(workspace.store, run.key, needs=["reviewer"], found=(), by="Ada")
    [found] = maps(workspace, promotions(workspace.index), jobs_of_runs(workspace))
    [told] = found.ways
    assert (told.edited, told.approved) == (None, None)
    assert told.proposed is not None


# -- the page ---------------------------------------------------------------------------------------------


@pytest.fixture
def text(site: Site) -> str:
    answer = site.browsers["viewer"].get(f"{site.at}/workflow", headers={"accept": "text/html"})
    assert answer.status_code == 200
    return answer.text


def test_the_page_draws_the_stages_of_every_study(text: str) -> None:
    """Whether it was run or not; what is drawn needs no script and no style of its own."""
    for name in ("simulate", "calibrate", "diagnose", "project", "report", "Waits for signatures"):
        assert f"<strong>{name}</strong>" in text
    assert "takes from calibrate" in text
    assert "style=" not in text


def test_a_study_whose_files_are_broken_is_named_with_its_letter(site: Site) -> None:
    """Without its stages it would look as if it had none."""
    broken = site.root / "studies" / "broken"
    broken.mkdir()
    try:
        (broken / "study.yaml").write_text("title: [half\n", encoding="utf-8")
        page = site.browsers["viewer"].get(f"{site.at}/workflow", headers={"accept": "text/html"}).text
    finally:
        shutil.rmtree(broken)
    told = page.partition('id="way-broken"')[2].partition("</section>")[0]
    assert "Its stages are not drawn" in told
    assert 'class="code">Y' in told


def test_a_sign_in_is_in_the_trail_of_the_workspaces_of_whoever_signed_in(site: Site) -> None:
    """And of no other: an admin learns nothing of who works elsewhere."""
    people = site.app.state.house.people
    # Other tests let others in as well.
    signed_in = {
        name: {each.person for each in people.trail(name, limit=1000) if each.what == "signed in"}
        for name in ("ours", "theirs")
    }
    members = {"viewer", "modeller", "reviewer", "admin"}
    assert signed_in["ours"] & {*members, "stranger"} == members
    assert signed_in["theirs"] & {*members, "stranger"} == {"stranger"}
