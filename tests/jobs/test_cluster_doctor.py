"""A cluster looked at before the first job: one that is fine, and some that are not."""

from __future__ import annotations

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from modelworks.cli import main
from modelworks.cluster import Examined, examine_cluster, without_secrets
from modelworks.jobs.executors.slurm import Site

pytestmark = pytest.mark.needs("slurm")


def verdicts(found: Examined) -> dict[str, str]:
    return {finding.about: finding.verdict for finding in found.findings}


def words(found: Examined, about: str) -> str:
    return next(finding.words for finding in found.findings if finding.about == about)


# Where a secret may stand that a team did not mean to send.
PLANTED = {
    "MODELWORKS_SMTP_PASSWORD": 'of the "environment" itself',
    "site": "hush-of-the-site",
    "option": "hush-of-an-option",
    "header": "hush-of-a-header",
    "settings": "hush-of-the-settings",
    "remote": "hush-of-the-remote",
}
SETTINGS = """
# For whoever asks: api_key = {settings}
[slurm]
partition = "main"
options = ["--comment='https://{option}@host/'"]
before = [
    "export SITE_TOKEN={site}", "env", "curl -H 'Authorization: Bearer {header}' http://127.0.0.1:9/ || true",
    "git -C {folder} remote -v"
]
"""


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A team's repository with a secret wherever one may be."""
    folder = tmp_path / "team"
    folder.mkdir()
    monkeypatch.setenv("MODELWORKS_SMTP_PASSWORD", PLANTED["MODELWORKS_SMTP_PASSWORD"])
    (folder / "modelworks.toml").write_text(SETTINGS.format(folder=folder, **PLANTED), encoding="utf-8")
    subprocess.run(["git", "init", "-q", folder], check=True)
    remote = f"https://ada:{PLANTED['remote']}@git.host/team.git"
    subprocess.run(["git", "-C", folder, "remote", "add", "origin", remote], check=True)
    monkeypatch.chdir(folder)
    return folder


def bundle_of(folder: Path, status: int, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the command packs up for others, by the name of its file, with what it says itself."""
    with pytest.raises(SystemExit) as ended:
        main(["cluster", "doctor", "--bundle", "look.zip"])
    told = capsys.readouterr()
    assert ended.value.code == status, told.out + told.err
    with zipfile.ZipFile(folder / "look.zip") as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    return {**texts, "said": told.out + told.err}


def check_secrets(texts: dict[str, str]) -> None:
    for secret in PLANTED.values():
        assert not [name for name, text in texts.items() if secret in text or json.dumps(secret)[1:-1] in text], secret


@pytest.mark.slow
@pytest.mark.usefixtures("slurm")
def test_a_cluster_that_is_fine_is_said_to_be(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the command, which writes a bundle without a secret although a job prints all that it knows."""
    texts = bundle_of(planted, 0, capsys)
    for about in ("login", "controller", "partition", "job", "packages", "shared disk", "clocks"):
        assert f"✓ {about}: " in texts["said"]
    assert "accounting" in texts["said"]
    assert {"findings.txt", "site.json", "sinfo.txt", "job.sh", "output.txt", "node.json"} <= set(texts)
    assert "MODELWORKS_SMTP_PASSWORD=…" in texts["output.txt"]
    assert "https://…@git.host/team.git" in texts["output.txt"]
    check_secrets(texts)
    assert not list((planted / ".modelworks" / "jobs").iterdir())


def test_no_secret_is_in_what_is_packed_up_of_a_cluster_that_fails(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its programs print whatever they find before they end."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sbatch").write_text("#!/bin/sh\nenv\ncat modelworks.toml .git/config\nexit 1\n", encoding="utf-8")
    (programs / "sbatch").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    texts = bundle_of(planted, 1, capsys)
    assert "SITE_TOKEN=…" in texts["sbatch.txt"]
    check_secrets(texts)


@pytest.mark.slow
def test_a_folder_that_a_node_does_not_see_is_found(slurm: Any, tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    slurm.kill("n2")
    slurm.start("n2", hidden=tmp_path)
    slurm.wait_for_nodes(2)
    found = examine_cluster(Site(options=("--nodelist=n2",)), tmp_path / "jobs", patience_seconds=60.0)
    slurm.kill("n2")
    slurm.start("n2")
    slurm.wait_for_nodes(2)
    assert verdicts(found)["shared disk"] == "stop", found
    assert str(tmp_path / "jobs") in words(found, "shared disk")


@pytest.mark.slow
def test_a_node_that_can_not_start_our_python_is_found(slurm: Any, tmp_path: Path) -> None:
    found = examine_cluster(Site(before=("module_that_is_not load python",)), tmp_path, patience_seconds=60.0)
    assert verdicts(found)["packages"] == "stop", found
    assert "module_that_is_not" in words(found, "packages")


@pytest.mark.slow
def test_a_partition_that_is_not_there_is_found_before_a_job_is_asked_for(slurm: Any, tmp_path: Path) -> None:
    found = examine_cluster(Site(partition="nowhere"), tmp_path)
    assert verdicts(found) == {"login": "fine", "controller": "fine", "partition": "stop"}
    assert "main, urgent" in words(found, "partition")


def test_a_machine_without_slurm_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = examine_cluster(Site(), tmp_path)
    assert verdicts(found) == {"login": "stop"}
    assert "[slurm]" in words(found, "login")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("export HF_TOKEN=abc LANG=C", "export HF_TOKEN=… LANG=C"),
        ("PASSWORD = x, --mem=5", "PASSWORD = …, --mem=5"),
        ("api_key='a b' LANG=C", "api_key=… LANG=C"),
        (r'["export API_KEY=\"a b\"", "export LANG=C"]', '["export API_KEY=…", "export LANG=C"]'),
        ('{"secret": "a b", "n": 1}', '{"secret": …, "n": 1}'),
        ("sbatch --api-token abc --mem 5", "sbatch --api-token … --mem 5"),
        ("-H 'Authorization: Bearer abc' x", "-H 'Authorization: Bearer …' x"),
        ("git clone https://abc@host/x", "git clone https://…@host/x"),
        ("--account=epi --partition=main", "--account=epi --partition=main"),
    ],
)
def test_a_secret_is_left_out_and_the_rest_stays(text: str, left: str) -> None:
    assert without_secrets(text) == left
