"""A team's website from Python: its runs and tables, and jobs handed to it. `connect` opens it."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from modelworks.errors import Letter, ModelworksError, fail

if TYPE_CHECKING:
    import httpx
    import pandas as pd

# A page of runs, and how long one waits for an answer.
RUNS_A_PAGE = 200
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 1.0
TOKEN = "MODELWORKS_TOKEN"
OVER = ("done", "failed", "cancelled")


def connect(url: str, *, token: str | None = None, workspace: str | None = None) -> Team:
    """The website of a team at an address, entered with a token.

    Parameters
    ----------
    token : str
        Left out, it is taken from the environment variable `MODELWORKS_TOKEN`.
    workspace : str
        The name of a repository there; left out where the token opens only one.

    Raises
    ------
    ModelworksError
        W310 where nobody answers at the address, W311 where something else does, W312 where no workspace is named and
        the token opens several or none; and whatever the website says, in its own letters.
    """
    import httpx

    secret = token or os.environ.get(TOKEN, "")
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    return _team(httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=PATIENCE_SECONDS), workspace)


def _team(client: httpx.Client, workspace: str | None) -> Team:
    known = [each["name"] for each in _ask(client, "GET", "/api/v1/workspaces").json()]
    if workspace is None and len(known) == 1:
        workspace = known[0]
    if workspace not in known or workspace is None:
        problem = f"the token does not open `{workspace}`" if workspace else f"the token opens {len(known)} workspaces"
        hint = f"name one: workspace={' or '.join(map(repr, known))}" if known else "ask an admin to make you a member"
        fail("W312", problem, hint=hint)
    return Team(workspace, client)


@dataclass(frozen=True)
class Team:
    """A workspace of a website: what was recorded there, and what may be run there."""

    workspace: str
    _client: httpx.Client = field(repr=False)

    def __enter__(self) -> Team:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    # -- what was recorded -----------------------------------------------------------------------------

    def studies(self) -> list[dict[str, Any]]:
        """Every study, with its latest run and what has changed since."""
        return self._list("studies")

    def runs(self, **wanted: Any) -> Iterator[TeamRun]:
        """The runs asked for, the latest first.

        `wanted` is as in `modelworks list`: `study`, `model`, `region`, `verdict`, `person`, `tag`, `since`, `until`,
        `approved` and `where`, a condition on a number or several.
        """
        asked = {name: value for name, value in wanted.items() if value is not None} | {"limit": RUNS_A_PAGE}
        while True:
            page = self._get("runs", asked)
            yield from (TeamRun(self, row["id"], row["key"], row) for row in page["runs"])
            if page["next"] is None:
                return
            asked["after"] = page["next"]

    def run(self, run_id: str) -> TeamRun:
        """A run by its id, or the first digits of it."""
        told = self._get(f"runs/{quote(run_id, safe='')}")
        return TeamRun(self, told["id"], told["key"], told["record"])

    def compare(self, *runs: str) -> dict[str, Any]:
        """Two runs to six side by side, by their ids: what differs, and which numbers moved."""
        found: dict[str, Any] = self._get("compare", {"run": runs})
        return found

    def promotions(self) -> list[dict[str, Any]]:
        """Every run that was put forward, and what became of it."""
        return self._list("promotions")

    def data(self) -> list[dict[str, Any]]:
        """The catalogue of datasets."""
        return self._list("data")

    def table(self, name: str, *, feed: str = "approved", where: str | None = None) -> pd.DataFrame:
        """A table of the feeds: `runs`, `parameters`, `posterior_summaries`, `quantities`, `series`, `scenarios`,
        `targets`.

        Parameters
        ----------
        feed : str
            `approved`, `all`, or `runs/7f3a21` for one run.
        where : str
            A condition as OData has it: `kind eq 'projected' and q50 gt 10`.
        """
        import pandas as pd

        asked = {"$filter": where} if where else {}
        path = f"/w/{quote(self.workspace, safe='')}/feeds/{feed}/{quote(name, safe='')}.parquet"
        return pd.read_parquet(io.BytesIO(_ask(self._client, "GET", path, params=asked).content))

    # -- what is run -----------------------------------------------------------------------------------

    def submit(
        self,
        study: str,
        *,
        until: str = "report",
        changes: Sequence[str] = (),
        scenarios: Sequence[str] = (),
        executor: str = "process",
        priority: int = 0,
    ) -> TeamJob:
        """Hand a study over, as it is in the team's repository now, with some things assumed otherwise.

        Of its scenarios those that are named are run, beside the baseline; all, where none is.
        """
        chosen = {"changes": list(changes), "scenarios": list(scenarios)}
        order = {"study": study, "until": until, **chosen, "executor": executor, "priority": priority}
        told = _ask(self._client, "POST", self._at("jobs"), json=order).json()
        return TeamJob(self, told["id"])

    def jobs(self, *states: str) -> list[TeamJob]:
        """The latest jobs, of some states or of all."""
        return [TeamJob(self, each["id"]) for each in self._get("jobs", {"state": states, "limit": RUNS_A_PAGE})]

    def job(self, job_id: str) -> TeamJob:
        """A job by its id, or the first digits of it."""
        return TeamJob(self, self._get(f"jobs/{quote(job_id, safe='')}")["id"])

    # -- how -------------------------------------------------------------------------------------------

    def _at(self, path: str) -> str:
        return f"/api/v1/workspaces/{quote(self.workspace, safe='')}/{path}"

    def _get(self, path: str, asked: Mapping[str, Any] | None = None) -> Any:
        return _ask(self._client, "GET", self._at(path), params=asked).json()

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get(path)
        return found

    def _post(self, path: str) -> Any:
        return _ask(self._client, "POST", self._at(path)).json()


@dataclass(frozen=True)
class TeamRun:
    """A run on a team's website. `record` holds what a list shows of it; of `Team.run` all that `run.json` says."""

    team: Team = field(repr=False, compare=False)
    id: str
    key: str
    record: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def study(self) -> str:
        """The first part of the key."""
        return self.key.split("/")[0]

    def table(self, name: str, *, where: str | None = None) -> pd.DataFrame:
        """A table of this run, as `Team.table` gives it of many."""
        return self.team.table(name, feed=f"runs/{self.id}", where=where)

    def file(self, name: str) -> bytes:
        """A file of the run's folder by its name there, as in `calibrate/posterior.nc`."""
        path = f"/w/{quote(self.team.workspace, safe='')}/runs/{self.id}/files/{quote(name)}"
        return _ask(self.team._client, "GET", path).content


@dataclass(frozen=True)
class TeamJob:
    """A job on a team's website."""

    team: Team = field(repr=False, compare=False)
    id: str

    def status(self) -> dict[str, Any]:
        """What is known of it now: `state`, `phase`, `run` when it is done, `text` when it is not."""
        found: dict[str, Any] = self.team._get(f"jobs/{self.id}")
        return found

    def log(self) -> Iterator[dict[str, Any]]:
        """What it writes, as it comes, until it is over."""
        place = ""
        while True:
            told = self.team._get(f"jobs/{self.id}/progress", {"after": place})
            yield from told["lines"]
            if told["over"]:
                return
            place = told["next"]
            if not told["lines"]:
                time.sleep(LOOK_SECONDS)

    def wait(self) -> TeamRun | None:
        """The run that comes of it, when it is over; None where none does, and `status` says why."""
        for _ in self.log():
            pass
        run = self.status()["run"]
        return None if run is None else self.team.run(run)

    def cancel(self) -> None:
        """Take it back."""
        self.team._post(f"jobs/{self.id}/cancel")

    def retry(self) -> None:
        """Let it begin anew."""
        self.team._post(f"jobs/{self.id}/retry")


def _ask(client: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    """An answer that is none of the website's refusals."""
    import httpx

    try:
        answer = client.request(method, path, **more)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        hint = "see that the address is right and begins with https://, and that the website runs: modelworks serve"
        fail("W310", f"{client.base_url} does not answer: {error}", hint=hint)
    if answer.is_success:
        return answer
    raise ModelworksError(_letters(answer)) from None


def _letters(answer: httpx.Response) -> list[Letter]:
    """What the website says is wrong, in its own letters."""
    names = ("code", "message", "hint", "file", "line")
    try:
        return [Letter(**{name: each[name] for name in names}) for each in answer.json()["mistakes"]]
    except (ValueError, KeyError, TypeError):
        said = (
            f"{answer.url} answers {answer.status_code} {answer.reason_phrase}, and not as a website of modelworks does"
        )
        return [Letter("W311", said, "see that the address is that of the website itself, without anything after it")]
