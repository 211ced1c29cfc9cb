"""Raw files come from where they were published, or a mirror, whole and as they were; what changed is shown."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from modelworks.errors import ModelworksError
from modelworks.inputs import Catalogue, Fetched, _downloads, accept, fetch, fetch_new, fetching, look_for_news

CONTENT = b"week,cases\n" + b"".join(b"2021-01-%02d,%d\n" % (day, 1000 + day) for day in range(1, 29)) * 40
REVISED = CONTENT.replace(b"1007", b"2007")


class Server(http.server.BaseHTTPRequestHandler):
    """Publishes one file, and can be told to break off or to refuse the middle of it."""

    content = CONTENT
    break_after = 0
    ranges = True
    sends_to = ""
    asked: list[str | None] = []  # noqa: RUF012 - each test's server is a class of its own

    def do_GET(self) -> None:
        begin = 0
        wanted = self.headers.get("Range")
        type(self).asked.append(wanted)
        if self.sends_to:
            self.send_response(302)
            self.send_header("Location", self.sends_to)
            self.end_headers()
            return
        if self.path != "/cases.csv":
            self.send_error(404)
            return
        if wanted and self.ranges:
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            if begin >= len(self.content):
                self.send_error(416)
                return
        body = self.content[begin:]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.break_after:
            body, type(self).break_after = body[: self.break_after], 0
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(host: str) -> Iterator[tuple[type[Server], str]]:
    handler = type("Handler", (Server,), {"asked": []})
    running = http.server.ThreadingHTTPServer((host, 0), handler)
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    try:
        yield handler, f"http://{host}:{running.server_address[1]}/cases.csv"
    finally:
        running.shutdown()
        thread.join()
        running.server_close()


@pytest.fixture
def server() -> Iterator[tuple[type[Server], str]]:
    with serving("127.0.0.1") as made:
        yield made


def catalogue(root: Path, url: str = "", content: bytes = CONTENT) -> Catalogue:
    (root / "data").mkdir(parents=True, exist_ok=True)
    (root / "data" / "catalogue.yaml").write_text(
        "# Ours.\n"
        "other: {title: Other, publisher: Us, licence: CC0, source: invented, prepare: prepare/x.py:f, "
        "columns: {a: {unit: text, meaning: a}}}\n"
        "cases:\n"
        "  title: Cases\n  publisher: Ministry\n  licence: CC0\n  source: invented  # said twice\n"
        + (f"  url: {url}\n" if url else "")
        + f"  retrieved: 2021-02-01\n  file: raw/cases.csv\n  sha256: {hashlib.sha256(content).hexdigest()}\n"
        "  columns:\n    week: {unit: date, meaning: the day}\n    cases: {unit: people, meaning: reported}\n",
        encoding="utf-8",
    )
    return Catalogue.read(root)


def fetched(root: Path, url: str = "", mirror: str = "") -> Fetched:
    return fetch(catalogue(root, url)["cases"], mirror)


def test_a_file_comes_and_is_not_asked_for_again(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    handler, url = server
    assert fetched(tmp_path, url).state == "fetched"
    assert (tmp_path / "data" / "raw" / "cases.csv").read_bytes() == CONTENT
    assert fetched(tmp_path, url).state == "here"
    assert handler.asked == [None]


def test_a_broken_download_goes_on_where_it_stopped(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    handler, url = server
    handler.break_after = 1000
    assert fetched(tmp_path, url).state == "fetched"
    assert handler.asked == [None, "bytes=1000-"]
    assert (tmp_path / "data" / "raw" / "cases.csv").read_bytes() == CONTENT


def test_a_server_that_knows_no_middle_sends_all_of_it(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    handler, url = server
    handler.break_after, handler.ranges = 1000, False
    assert fetched(tmp_path, url).state == "fetched"


def test_half_of_an_old_edition_does_not_spoil_the_new_one(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    _, url = server
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / ".cases.csv.part").write_bytes(b"another file altogether")
    assert fetched(tmp_path, url).state == "fetched"
    assert not (tmp_path / "data" / "raw" / ".cases.csv.part").exists()


def test_a_changed_file_is_news_and_takes_no_ones_place(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    handler, url = server
    fetched(tmp_path, url)
    (tmp_path / "data" / "raw" / "cases.csv").unlink()
    handler.content = REVISED
    missing = fetched(tmp_path, url)
    assert missing.state == "changed"
    assert not missing.path.exists()
    missing.path.write_bytes(CONTENT + b"\n")
    found = fetched(tmp_path, url)
    assert found.news is not None
    assert found.news.read_bytes() == REVISED
    assert found.difference[0] == "41 lines went and 40 came, of 1,122"
    assert "+2021-01-07,2007" in found.difference


def test_news_are_taken_by_a_person(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    """And the rest of the catalogue stays as it was written, remarks and all."""
    handler, url = server
    fetched(tmp_path, url)
    before = (tmp_path / "data" / "catalogue.yaml").read_text(encoding="utf-8")
    handler.content = REVISED
    (tmp_path / "data" / "raw" / "cases.csv").unlink()
    fetched(tmp_path, url)
    checksum = accept(Catalogue.read(tmp_path), "cases", tmp_path, date(2021, 5, 3))
    after = (tmp_path / "data" / "catalogue.yaml").read_text(encoding="utf-8")
    old = hashlib.sha256(CONTENT).hexdigest()
    assert after == before.replace(old, checksum).replace("2021-02-01", "2021-05-03")
    assert Catalogue.read(tmp_path)["cases"].table()["cases"].max() == 2007
    with pytest.raises(ModelworksError, match="D142"):
        accept(Catalogue.read(tmp_path), "cases", tmp_path, date(2021, 5, 3))


@pytest.mark.parametrize("named_by", ["name", "checksum"])
def test_a_mirror_stands_in_for_the_internet(tmp_path: Path, named_by: str) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / ("cases.csv" if named_by == "name" else hashlib.sha256(CONTENT).hexdigest())).write_bytes(CONTENT)
    assert fetched(tmp_path, mirror=str(mirror)).state == "fetched"


def test_a_mirror_with_another_edition_is_passed_over(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    _, url = server
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "cases.csv").write_bytes(REVISED)
    assert fetched(tmp_path, url, str(mirror)).state == "fetched"
    assert (tmp_path / "data" / "raw" / "cases.csv").read_bytes() == CONTENT


@pytest.mark.needs("weed")
def test_a_bucket_may_be_the_mirror(tmp_path: Path, s3_endpoint: str) -> None:
    import obstore
    from obstore.store import S3Store

    options = {"allow_http": True}
    obstore.put(S3Store.from_url("s3://team/mirror", client_options=options), "cases.csv", CONTENT)
    assert fetched(tmp_path, mirror="s3://team/mirror").state == "fetched"


@pytest.mark.parametrize(
    ("url", "mirror", "code"),
    [("", "", "D140"), ("http://127.0.0.1:9/cases.csv", "", "D141"), ("", "nowhere://x", "D141")],
)
def test_nowhere_to_fetch_from_is_a_letter(tmp_path: Path, url: str, mirror: str, code: str) -> None:
    with pytest.raises(ModelworksError, match=code):
        fetched(tmp_path, url, mirror)


def test_an_address_that_is_gone_is_a_letter_at_once(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    handler, url = server
    with pytest.raises(ModelworksError, match="404"):
        fetched(tmp_path, url.replace("cases.csv", "gone.csv"))
    assert len(handler.asked) == 1


@pytest.mark.parametrize("url", ["ftp://example.org/x.csv", "example.org/x", "https://ada:secret@example.org/x"])
def test_an_address_that_is_none_is_a_letter(tmp_path: Path, url: str) -> None:
    with pytest.raises(ModelworksError, match="D143"):
        catalogue(tmp_path, url)


def test_a_file_that_is_in_no_catalogue_keeps_its_name(tmp_path: Path, server: tuple[type[Server], str]) -> None:
    _, url = server
    found = fetch_new(url, tmp_path)
    assert (found.name, found.read_bytes()) == ("cases.csv", CONTENT)
    for wrong, code in ((url.replace("cases.csv", ""), "D143"), (url.replace("cases.csv", "gone.csv"), "D141")):
        with pytest.raises(ModelworksError, match=code):
            fetch_new(wrong, tmp_path)


# -- publishers that mean harm, or are broken ----------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::",
     "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:a00:1::", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_what_is_inside_a_network_is_known_however_it_is_written(address: str) -> None:
    assert _downloads.is_inside(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"])
def test_what_is_outside_is_not_inside(address: str) -> None:
    assert not _downloads.is_inside(address)


def test_nobody_outside_sends_us_to_a_machine_inside(
    tmp_path: Path, server: tuple[type[Server], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes a publisher's website over would have our machine read what only it can reach."""
    monkeypatch.setattr(_downloads, "is_inside", lambda address: address == "127.0.0.2")
    handler, url = server
    with serving("127.0.0.2") as (inner, place):
        handler.sends_to = place
        with pytest.raises(ModelworksError, match="inside our own network") as raised:
            fetched(tmp_path, url)
        assert raised.value.codes == ("D141",)
        assert inner.asked == []
        # What the team itself has written may be inside, and may send us on within.
        inner.sends_to, handler.sends_to = url, ""
        assert fetched(tmp_path, place).state == "fetched"


def test_a_publisher_sends_us_to_no_file_and_no_other_kind_of_server(
    tmp_path: Path, server: tuple[type[Server], str]
) -> None:
    handler, url = server
    for place in ("file:///etc/passwd", "ftp://127.0.0.1/cases.csv", "data:,cases"):
        handler.sends_to = place
        with pytest.raises(ModelworksError, match=r"not on the web|302"):
            fetched(tmp_path, url)


def test_news_that_never_end_are_a_letter_and_leave_nothing(
    tmp_path: Path, server: tuple[type[Server], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schedule looks for news while nobody looks on; the disk would be full in the morning."""
    handler, url = server
    fetched(tmp_path, url)
    handler.content = CONTENT * 11
    monkeypatch.setattr(fetching, "NEWS_BYTES", 1)
    with pytest.raises(ModelworksError, match="sends more than"):
        look_for_news(catalogue(tmp_path, url)["cases"])
    assert {each.name for each in (tmp_path / "data" / "raw").iterdir()} == {"cases.csv"}
    handler.content = REVISED
    assert look_for_news(catalogue(tmp_path, url)["cases"]).state == "changed"
