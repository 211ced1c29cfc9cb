"""Somebody of every kind who comes to a website, and what they do there."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from modelworks.runs import Run

# Nobody is signed in; the stranger is a viewer, but of the other workspace.
KINDS = ("nobody", "stranger", "viewer", "modeller", "reviewer", "admin")
PASSWORD = "four words that rhyme"
WICKED = "<script>window.broken = 1</script>\"'&"


@dataclass(frozen=True)
class Site:
    """A website under test: where its repository lies, its run, and a browser for each kind of person."""

    root: Path
    run: Run
    job: str
    app: Any
    browsers: dict[str, TestClient]

    @property
    def at(self) -> str:
        return "/w/ours"


def let_in(browser: TestClient, app: Any, name: str, role: str, workspace: str = "ours") -> None:
    """Make somebody a member of a workspace, and sign them in."""
    people = app.state.house.people
    someone = people.add(name, name.capitalize())
    people.set_password(someone.id, PASSWORD)
    people.set_role(someone.id, workspace, role)
    sign_in(browser, name)


def sign_in(browser: TestClient, name: str, password: str = PASSWORD) -> Any:
    """Fill in the form as a person does."""
    return browser.post(
        "/sign-in", data={"name": name, "password": password, "form_token": token_on(browser, "/sign-in")}
    )


def token_on(browser: TestClient, page: str) -> str:
    """What the forms of a page carry."""
    text = browser.get(page, headers={"accept": "text/html"}).text
    return text.partition('name="form_token" value="')[2].partition('"')[0]


def git(root: Path, *words: str) -> str:
    """What git says of a repository, as somebody whom the machine need not know."""
    named = ("-c", "user.name=Git", "-c", "user.email=git@example.org")
    found = subprocess.run(["git", "-C", str(root), *named, *words], check=True, capture_output=True, text=True)
    return found.stdout.strip()
