"""Files too large for git: kept by their content in a folder or bucket, or by DVC or Git LFS."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelworks.cli import line
from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue, fetch, push

ROWS = b"week,cases\n" + b"".join(b"2021-01-04,%d\n" % k for k in range(5000))
SHA = hashlib.sha256(ROWS).hexdigest()
MD5 = hashlib.md5(ROWS).hexdigest()
SAID = ["--title", "T", "--publisher", "P", "--licence", "L", "--source", "S", "--no-questions"]
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{SHA}\nsize {len(ROWS)}\n"
DVC = f"outs:\n- md5: {MD5}\n  size: {len(ROWS)}\n  hash: md5\n  path: cases.csv\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose one large file lies in `data/raw/`, and a folder that is its store."""
    team = tmp_path / "team"
    (team / "data" / "raw").mkdir(parents=True)
    (team / "modelworks.toml").write_text('[data]\nstore = "../large"\n', encoding="utf-8")
    (team / "data" / "raw" / "cases.csv").write_bytes(ROWS)
    monkeypatch.chdir(team)
    assert said("add", "data/raw/cases.csv", "--large", *SAID).exit_code == 0
    return team


def said(*words: str) -> Result:
    return CliRunner().invoke(line, ["data", *words])


def letter(root: Path) -> str:
    with pytest.raises(ModelworksError) as caught:
        Catalogue.read(root)["cases"].table()
    return str(caught.value)


def test_a_large_file_goes_to_the_store_and_comes_back(root: Path) -> None:
    """Git has its checksum in the catalogue and is told to leave the file alone."""
    assert (root / "data" / ".gitignore").read_text(encoding="utf-8") == "/raw/cases.csv\n"
    assert "copied" in said("push").stdout
    assert "there already" in said("push").stdout
    assert (root.parent / "large" / "sha256" / SHA[:2] / SHA).read_bytes() == ROWS
    (root / "data" / "raw" / "cases.csv").unlink()
    assert "modelworks data fetch cases" in letter(root)
    assert "fetched" in said("fetch").stdout
    assert len(Catalogue.read(root)["cases"].table()) == 5000


def test_a_broken_fetch_goes_on_and_a_damaged_one_begins_anew(root: Path) -> None:
    said("push")
    raw = root / "data" / "raw" / "cases.csv"
    raw.unlink()
    part = raw.with_name(".cases.csv.part")
    heard: list[int] = []
    dataset = Catalogue.read(root)["cases"]
    for beginning in (ROWS[:20_000], b"another file" * 100):
        raw.unlink(missing_ok=True)
        part.write_bytes(beginning)
        heard.clear()
        store = str(root.parent / "large")
        assert fetch(dataset, "", lambda done, total: heard.append(done), store=store).state == "fetched"
        assert raw.read_bytes() == ROWS
        assert not part.exists()


def test_only_what_the_catalogue_says_is_stored(root: Path) -> None:
    (root / "data" / "raw" / "cases.csv").write_bytes(ROWS + b"2021-01-11,7\n")
    with pytest.raises(ModelworksError, match="D103"):
        push(Catalogue.read(root)["cases"], str(root.parent / "large"))
    with pytest.raises(ModelworksError, match="D146"):
        push(Catalogue.read(root)["cases"], "")
    assert not (root.parent / "large").exists()


def test_a_damaged_file_of_the_store_is_not_taken(root: Path) -> None:
    said("push")
    (root.parent / "large" / "sha256" / SHA[:2] / SHA).write_bytes(b"other")
    (root / "data" / "raw" / "cases.csv").unlink()
    ended = said("fetch")
    assert isinstance(ended.exception, ModelworksError)
    assert ended.exception.codes == ("D140",)
    assert not (root / "data" / "raw" / "cases.csv").exists()


@pytest.mark.needs("git")
def test_git_lfs_keeps_a_copy_within_reach(root: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    raw = root / "data" / "raw" / "cases.csv"
    raw.write_text(LFS, encoding="utf-8")
    assert "git lfs pull" in letter(root)
    assert "D104" in str(said("fetch", "cases").exception)
    kept = root / ".git" / "lfs" / "objects" / SHA[:2] / SHA[2:4] / SHA
    kept.parent.mkdir(parents=True)
    kept.write_bytes(ROWS)
    assert "fetched" in said("fetch", "cases").stdout
    assert raw.read_bytes() == ROWS


@pytest.mark.parametrize(
    ("settings", "place"),
    [("", ".dvc/cache/files/md5"), ("", ".dvc/cache"), ("[cache]\n    dir = ../../cache\n", "../cache/files/md5"),
     ("['remote \"backup\"']\n    url = ../../backup\n", "../backup/files/md5")],
)  # fmt: skip
def test_dvc_keeps_a_copy_within_reach(root: Path, settings: str, place: str) -> None:
    raw = root / "data" / "raw" / "cases.csv"
    raw.unlink()
    raw.with_name("cases.csv.dvc").write_text(DVC, encoding="utf-8")
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text(settings, encoding="utf-8")
    assert "dvc pull" in letter(root)
    assert "dvc pull" in str(said("fetch", "cases").exception)
    kept = root / place / MD5[:2] / MD5[2:]
    kept.parent.mkdir(parents=True)
    kept.write_bytes(ROWS)
    assert "fetched" in said("fetch", "cases").stdout
    assert raw.read_bytes() == ROWS


@pytest.mark.parametrize(
    "pointer", [DVC.replace(f"{MD5}\n", f"{MD5}.dir\n"), "outs:\n", "outs: [\n", "version https://git-lfs\n", LFS[:60]]
)
def test_a_pointer_to_nothing_is_a_letter(root: Path, pointer: str) -> None:
    raw = root / "data" / "raw" / "cases.csv"
    raw.write_text(pointer, encoding="utf-8")
    assert "D104" in letter(root)
    assert "D104" in str(said("fetch", "cases").exception)


@pytest.mark.slow
def test_a_bucket_may_be_the_store(root: Path, s3_endpoint: str) -> None:
    store = "s3://team/large"
    dataset = Catalogue.read(root)["cases"]
    assert push(dataset, store)
    assert not push(dataset, store)
    dataset.path.unlink()
    dataset.path.with_name(".cases.csv.part").write_bytes(ROWS[:10_000])
    assert fetch(dataset, "", store=store).state == "fetched"
    assert dataset.path.read_bytes() == ROWS
