"""The download code as users run it, against a small server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from data.samples import NAMES, idx_bytes, tiny_arrays

from tinygrad_bp.data import download, download_mnist, load_mnist, mnist, official
from tinygrad_bp.data.official import MNIST_SOURCES, RemoteFile, Source
from tinygrad_bp.errors import DownloadError

TIMEOUT = (5.0, 5.0)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves /MIRROR/NAME as the mirror's name says."""

    server: Server

    def do_GET(self) -> None:
        mirror, name = self.path.strip("/").split("/")
        asked = self.headers.get("Range")
        self.server.seen.append((mirror, name, asked))
        self.server.mirrors[mirror](self, self.server.files.get(name, b""), asked)

    def send(
        self, content: bytes, status: int = 200, cut: int | None = None, **headers: str
    ) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:cut])
        self.close_connection = True

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.seen: list[tuple[str, str, str | None]] = []
        self.mirrors: dict[str, Callable[[Handler, bytes, str | None], None]] = {
            "good": ranged,
            "plain": lambda h, content, asked: h.send(content),
            "forbidden": lambda h, content, asked: h.send(b"no", 403),
            "html": lambda h, content, asked: h.send(b"<!DOCTYPE html><p>moved"),
            "cut": lambda h, content, asked: ranged(h, content, asked, most=len(content) // 3 + 1),
            "cut-plain": lambda h, content, asked: h.send(content, cut=len(content) // 2),
            "dead-after-half": dead_after_half,
            "wrong": lambda h, content, asked: h.send(content[:-1] + b"?"),
            "hang": lambda h, content, asked: h.server.hang.wait(20),
            "odd-range": lambda h, content, asked: h.send(
                content[1:], 206, Content_Range=f"bytes 1-{len(content)}/{len(content)}"
            ),
            "endless": lambda h, content, asked: h.send(bytes(10**6)),
            "repacked": lambda h, content, asked: h.send(
                gzip.compress(gzip.decompress(content), 1)
            ),
            "encoded": lambda h, content, asked: h.send(content, Content_Encoding="gzip"),
        }
        self.hang = threading.Event()

    def url(self, mirror: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{mirror}/"


def ranged(handler: Handler, content: bytes, asked: str | None, most: int | None = None) -> None:
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    if start >= len(content):
        handler.send(b"", 416)
    elif asked:
        where = f"bytes {start}-{len(content) - 1}/{len(content)}"
        handler.send(content[start:], 206, cut=most, Content_Range=where)
    else:
        handler.send(content, cut=most)


def dead_after_half(handler: Handler, content: bytes, asked: str | None) -> None:
    if asked:
        handler.send(b"", 503)
    else:
        handler.send(content, cut=len(content) // 2)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.hang.set()
        server.shutdown()
        thread.join()


def remote(name: str, content: bytes) -> RemoteFile:
    size, sha256 = len(content), hashlib.sha256(content).hexdigest()
    if not name.endswith(".gz"):
        return RemoteFile(name, size, sha256)
    plain = gzip.decompress(content)
    return RemoteFile(name, size, sha256, len(plain), hashlib.sha256(plain).hexdigest())


@pytest.fixture
def one(server: Server) -> Callable[..., tuple[Source]]:
    """A source of one file, big enough to be cut, on the mirrors that are named."""
    values = np.random.default_rng(0).integers(0, 100, 200_000, dtype=np.uint8)
    server.files["file.gz"] = gzip.compress(values.tobytes(), mtime=0)

    def source(*mirrors: str) -> tuple[Source]:
        urls = tuple(map(server.url, mirrors))
        return (Source(urls, (remote("file.gz", server.files["file.gz"]),)),)

    return source


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_only_once(server: Server, one, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "mnist"
    assert download_mnist(folder, sources=one("good")) == folder
    assert (folder / "file.gz").read_bytes() == server.files["file.gz"]
    assert names(folder) == ["file.gz"]
    download_mnist(folder, sources=one("good"))
    assert len(server.seen) == 1


@pytest.mark.parametrize("bad", ["forbidden", "html", "wrong", "cut-plain", "endless"])
def test_the_next_mirror_is_asked_when_one_fails(
    server: Server, one, tmp_path: Path, bad: str
) -> None:
    download_mnist(tmp_path, sources=one(bad, "good"), timeout=TIMEOUT)
    assert (tmp_path / "file.gz").read_bytes() == server.files["file.gz"]
    assert names(tmp_path) == ["file.gz"]
    assert (server.seen[0][0], server.seen[-1][0]) == (bad, "good")


def test_a_hanging_mirror_is_left_after_the_timeout(server: Server, one, tmp_path: Path) -> None:
    download_mnist(tmp_path, sources=one("hang", "good"), timeout=(5.0, 1.0))
    assert names(tmp_path) == ["file.gz"]


def test_a_broken_connection_is_taken_up_where_it_broke(
    server: Server, one, tmp_path: Path
) -> None:
    download_mnist(tmp_path, sources=one("cut"))
    assert (tmp_path / "file.gz").read_bytes() == server.files["file.gz"]
    third = len(server.files["file.gz"]) // 3 + 1
    asked = [None, f"bytes={third}-", f"bytes={2 * third}-"]
    assert [(mirror, asks) for mirror, _, asks in server.seen] == [("cut", a) for a in asked]


def test_the_next_mirror_goes_on_where_the_first_broke(server: Server, one, tmp_path: Path) -> None:
    download_mnist(tmp_path, sources=one("dead-after-half", "good"))
    half = f"bytes={len(server.files['file.gz']) // 2}-"
    assert server.seen[-1] == ("good", "file.gz", half)
    assert (tmp_path / "file.gz").read_bytes() == server.files["file.gz"]


def test_the_next_run_goes_on_where_the_last_broke(server: Server, one, tmp_path: Path) -> None:
    with pytest.raises(DownloadError) as caught:
        download_mnist(tmp_path, sources=one("dead-after-half"))
    assert "HTTP 503" in str(caught.value)
    half = len(server.files["file.gz"]) // 2
    assert names(tmp_path) == ["file.gz.part"]
    assert (tmp_path / "file.gz.part").stat().st_size == half
    download_mnist(tmp_path, sources=one("good"))
    assert server.seen[-1] == ("good", "file.gz", f"bytes={half}-")
    assert (tmp_path / "file.gz").read_bytes() == server.files["file.gz"]


def test_a_whole_part_of_a_killed_run_needs_no_second_download(
    server: Server, one, tmp_path: Path
) -> None:
    (tmp_path / "file.gz.part").write_bytes(server.files["file.gz"])
    download_mnist(tmp_path, sources=one("good"))
    assert names(tmp_path) == ["file.gz"]
    assert len(server.seen) == 1


@pytest.mark.parametrize("mirror", ["plain", "good", "html-then"])
@pytest.mark.parametrize("rest", [b"another file", b"x" * 10**6])
def test_the_part_of_another_file_does_no_harm(
    server: Server, one, tmp_path: Path, mirror: str, rest: bytes
) -> None:
    (tmp_path / "file.gz.part").write_bytes(rest)
    mirrors = ("html", "good") if mirror == "html-then" else (mirror,)
    download_mnist(tmp_path, sources=one(*mirrors))
    assert (tmp_path / "file.gz").read_bytes() == server.files["file.gz"]


@pytest.mark.parametrize("mirror", ["plain", "cut-plain"])
def test_a_server_without_ranges_sends_the_file_from_the_start(
    server: Server, one, tmp_path: Path, mirror: str
) -> None:
    part = server.files["file.gz"][:1000]
    (tmp_path / "file.gz.part").write_bytes(part)
    download_mnist(tmp_path, sources=one(mirror, "plain"))
    assert server.seen[0][2] == "bytes=1000-"
    assert (tmp_path / "file.gz").read_bytes() == server.files["file.gz"]


@pytest.mark.parametrize("mirror", ["repacked", "encoded"])
def test_the_content_decides_and_not_how_it_was_packed(
    server: Server, one, tmp_path: Path, mirror: str
) -> None:
    download_mnist(tmp_path, sources=one(mirror))
    got = (tmp_path / "file.gz").read_bytes()
    assert gzip.decompress(got) == gzip.decompress(server.files["file.gz"])
    assert (got == server.files["file.gz"]) == (mirror == "encoded")


def test_when_all_fail_the_error_is_a_table_of_what_was_tried(
    server: Server, one, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/"
    (tmp_path / "file.gz.part").write_bytes(b"1")
    (four,) = one("forbidden", "html", "odd-range", "endless", "hang", "wrong")
    npz = Source((server.url("html"),), (remote("mnist.npz", b"content"),))
    sources = (Source((*four.mirrors, closed), four.files), npz)
    with pytest.raises(DownloadError) as caught:
        download_mnist(tmp_path, sources=sources, timeout=(5.0, 1.0))
    message = str(caught.value)
    rows = dict(line.split(None, 1) for line in message.splitlines() if "http" in line[:6])
    assert rows[server.url("forbidden") + "file.gz"] == "HTTP 403 Forbidden"
    assert (
        rows[server.url("html") + "file.gz"] == "HTTP 200, but a web page (HTML) and not the file"
    )
    assert rows[server.url("odd-range") + "file.gz"].startswith("it sent another range")
    assert rows[server.url("endless") + "file.gz"].startswith("it sent more than ")
    assert rows[server.url("hang") + "file.gz"].startswith("no answer in time")
    assert rows[server.url("wrong") + "file.gz"].startswith("wrong file: ")
    assert rows[closed + "file.gz"].startswith("no connection: ")
    assert rows[server.url("html") + "mnist.npz"].startswith("HTTP 200, but a web page")
    assert f"Wanted in {tmp_path}: file.gz (" in message
    assert "; or mnist.npz (7 bytes)" in message
    assert "TINYGRAD_BP_DATA" in message
    assert "or use `digits`, which needs no download" in message
    assert "file.gz" not in names(tmp_path)


@pytest.mark.parametrize("official_content", [b"another thing", b"two thing"])
def test_a_wrong_checksum_says_what_came_and_what_was_expected(
    server: Server, tmp_path: Path, official_content: bytes
) -> None:
    server.files["a.gz"] = gzip.compress(b"one thing")
    other = remote("a.gz", gzip.compress(official_content))
    with pytest.raises(DownloadError) as caught:
        download_mnist(tmp_path, sources=(Source((server.url("good"),), (other,)),))
    came = hashlib.sha256(b"one thing").hexdigest()[:12]
    expected = hashlib.sha256(official_content).hexdigest()[:12]
    what = f"wrong content: 9 bytes, expected {len(official_content)}; "
    assert f"{what}sha256 {came}…, expected {expected}…" in str(caught.value)
    assert names(tmp_path) == []


def test_a_mirror_that_failed_is_asked_last_for_the_next_file(
    server: Server, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        server.files[name] = name.encode()
    files = (remote("a", b"a"), remote("b", b"b"))
    mirrors = (server.url("forbidden"), server.url("good"))
    download_mnist(tmp_path, sources=(Source(mirrors, files),))
    assert [mirror for mirror, _, _ in server.seen] == ["forbidden", "good", "good"]


def mnist_sources(server: Server, first: str, second: str) -> tuple[Source, Source]:
    arrays = tiny_arrays()
    for name, array in zip(NAMES, arrays, strict=True):
        server.files[f"{name}.gz"] = gzip.compress(idx_bytes(array), mtime=0)
    keys = ("x_train", "y_train", "x_test", "y_test")
    stream = io.BytesIO()
    np.savez(stream, **dict(zip(keys, arrays, strict=True)))
    server.files["mnist.npz"] = stream.getvalue()
    four = tuple(remote(f"{name}.gz", server.files[f"{name}.gz"]) for name in NAMES)
    return (
        Source((server.url(first),), four),
        Source((server.url(second),), (remote("mnist.npz", server.files["mnist.npz"]),)),
    )


@pytest.mark.parametrize("first", ["good", "html", "cut", "forbidden"])
def test_mnist_is_downloaded_to_the_cache_and_read(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    sources = mnist_sources(server, first, "good")
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(
        download, "download_mnist", lambda folder: download_mnist(folder, sources=sources)
    )
    data = load_mnist()
    assert len(data.train) == 30
    np.testing.assert_array_equal(data.images(data.train.inputs), tiny_arrays()[0])
    if first in ("good", "cut"):
        assert names(tmp_path / "mnist") == sorted(f"{name}.gz" for name in NAMES)
    else:
        assert names(tmp_path / "mnist") == ["mnist.npz"]
    requests = len(server.seen)
    load_mnist()
    assert len(server.seen) == requests


def test_parts_are_never_taken_for_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "cache_folder", lambda: tmp_path)
    (tmp_path / "mnist").mkdir()
    for name in NAMES:
        (tmp_path / "mnist" / f"{name}.gz.part").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte.gz .*: missing"):
        load_mnist(download=False)


def test_a_folder_that_cannot_be_written_is_named(server: Server, one, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DownloadError) as caught:
        download_mnist(tmp_path / "file" / "mnist", sources=one("good"))
    assert f"file.gz could not be written to {tmp_path / 'file' / 'mnist'}: " in str(caught.value)
    assert "\nFix: make room there" in str(caught.value)


def test_a_full_disk_is_named_and_what_came_is_kept(
    server: Server, one, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(part: Path, file: RemoteFile) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download, "problem", full)
    with pytest.raises(DownloadError, match="No space left on device"):
        download_mnist(tmp_path, sources=one("good", "plain"))
    assert names(tmp_path) == ["file.gz.part"]
    assert len(server.seen) == 1


def test_the_official_table_is_whole_and_leaves_the_dead_server_out() -> None:
    four, keras = MNIST_SOURCES
    assert [file.name for file in four.files] == [f"{name}.gz" for name in NAMES]
    assert [file.size for file in four.files] == [9_912_422, 28_881, 1_648_877, 4_542]
    assert [file.content_size for file in four.files] == [47_040_016, 60_008, 7_840_016, 10_008]
    assert len(four.mirrors) == 2
    for source in (four, keras):
        assert all(url.startswith("https://") and url.endswith("/") for url in source.mirrors)
        assert not any("lecun" in url for url in source.mirrors)
        for file in source.files:
            assert len(bytes.fromhex(file.sha256)) == 32
            assert file.content_sha256 is None or len(bytes.fromhex(file.content_sha256)) == 32


def test_a_bomb_is_unpacked_no_further_than_the_expected_size(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    bomb.write_bytes(gzip.compress(bytes(20 * 2**20)))
    size, _ = official.digest(bomb, unpack=True, limit=1000)
    assert size <= 2**21
    wrong = official.problem(bomb, RemoteFile("bomb.gz", 1, "00", 1000, "00"))
    assert wrong is not None
    assert wrong.startswith("wrong content: ")
