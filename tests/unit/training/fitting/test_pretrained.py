"""pretrained: weights are fetched whole or not at all, and only once."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from coinsorter.errors import InputError
from coinsorter.training.fitting import pretrained

CONTENT = b"weights " * 100_000


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / ".keras" / "models"


@pytest.fixture
def served(tmp_path) -> str:
    """A folder that holds what is published, as an address."""
    for name in pretrained.WEIGHT_FILES.values():
        path = tmp_path / "served" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
    return (tmp_path / "served").as_uri()


@pytest.mark.parametrize("network", pretrained.WEIGHT_FILES)
def test_weights_are_fetched_once_and_kept(network, served, home):
    path = pretrained.fetch_weights(network, served)
    assert path.read_bytes() == CONTENT and path.parent == home
    path.write_bytes(b"kept")
    assert pretrained.fetch_weights(network, served).read_bytes() == b"kept"


@pytest.fixture
def breaks_off():
    """The address of a server that promises more than it gives."""

    class Torn(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[:1000])

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Torn) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_transfer_that_breaks_off_leaves_nothing(breaks_off, home):
    with pytest.raises(InputError, match="broke off after 1000 of 800000 bytes"):
        pretrained.fetch_weights("mobilenet-v2", breaks_off)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("at", ["http://127.0.0.1:9", "file:///nowhere"])
def test_without_internet_it_says_what_to_do(at, home):
    with pytest.raises(
        InputError,
        match=r"the published weights of mobilenet-v1-025 could not be fetched \(.+\); "
        r"copy them to .*mobilenet_2_5_224_tf_no_top.h5, or name a file",
    ):
        pretrained.fetch_weights("mobilenet-v1-025", at)
    assert list(home.iterdir()) == []
