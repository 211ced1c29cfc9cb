"""A cluster looked at before the first job: one that is fine, and some that are not."""

from __future__ import annotations

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


@pytest.mark.slow
def test_a_cluster_that_is_fine_is_said_to_be(
    slurm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command, which writes a bundle without the secrets of the site's own lines."""
    settings = '[slurm]\npartition = "main"\nbefore = ["export SITE_TOKEN=hush"]\n'
    (tmp_path / "modelworks.toml").write_text(settings, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["cluster", "doctor", "--bundle", "look.zip"])
    told = capsys.readouterr()
    assert ended.value.code == 0, told.out
    for about in ("login", "controller", "partition", "job", "packages", "shared disk", "clocks"):
        assert f"✓ {about}: " in told.out
    assert "accounting" in told.out
    with zipfile.ZipFile(tmp_path / "look.zip") as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert {"findings.txt", "site.json", "sinfo.txt", "job.sh", "node.json"} <= set(texts)
    assert not [name for name, text in texts.items() if "hush" in text]
    assert not list((tmp_path / ".modelworks" / "jobs").iterdir())


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
        ("--account=epi --partition=main", "--account=epi --partition=main"),
    ],
)
def test_a_secret_is_left_out_and_the_rest_stays(text: str, left: str) -> None:
    assert without_secrets(text) == left
