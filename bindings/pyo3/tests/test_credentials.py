"""Credentials of a bucket reach its server, and nobody else."""

import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import walwarden

SECRETS = {"aws_secret_access_key": "hunter2-hunter2", "aws_session_token": "token-token"}
CREDENTIALS = {"aws_access_key_id": "AKIAEXAMPLE"} | SECRETS
AUTHORIZATIONS: list[str] = []


class Refusing(BaseHTTPRequestHandler):
    """Refuses everyone, and repeats what it was sent."""

    def refuse(self) -> None:
        AUTHORIZATIONS.append(self.headers["authorization"])
        body = f"<Error><Code>AccessDenied</Code><Message>{self.headers}</Message></Error>".encode()
        self.send_response(403)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = refuse

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"s3://backups/here?region=eu-1&endpoint=http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_credentials_show_nowhere(
    shop: str, engine: walwarden.Engine, bucket: str, capfd: pytest.CaptureFixture[str]
) -> None:
    storage = walwarden.open_storage(bucket, credentials=CREDENTIALS)
    events: list[walwarden.Event] = []
    with pytest.raises(walwarden.RefusedError) as raised:
        engine.backup("shop", shop, storage, on_event=events.append)
    assert any("AKIAEXAMPLE" in authorization for authorization in AUTHORIZATIONS), "they were not used"
    error = raised.value
    told = [storage, storage.url, error, vars(error), events, *traceback.format_exception(error), capfd.readouterr()]
    for secret in SECRETS.values():
        assert not [one for one in told if secret in repr(one) or secret in str(one)]


def test_a_credential_that_is_refused_is_not_repeated(bucket: str) -> None:
    for name in ["aws_secret", "AWS_SECRET_ACCESS_KEY", ""]:
        with pytest.raises(walwarden.InvalidError) as raised:
            walwarden.open_storage(bucket, credentials={name: "hunter2-hunter2"})
        assert raised.value.code == "argument-invalid" and "aws_session_token" in raised.value.message
        assert "hunter2" not in f"{raised.value} {vars(raised.value)}"
