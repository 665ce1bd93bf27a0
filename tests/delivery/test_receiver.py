"""The receiver of the demo: it keeps what comes, and shows it to people."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading

import pytest
import requests

from pipeline.receiver import Callback, Receiver, Reply, described


def test_callbacks_are_kept_whole_and_in_order(receiver: Receiver) -> None:
    for number in range(3):
        requests.post(f"{receiver.url}/{number}?x=1", b"\xff\x00", headers={"A-b": "c"}, timeout=9)

    callbacks = receiver.wait_for(3, timeout_seconds=9)
    assert [callback.path for callback in callbacks] == ["/0?x=1", "/1?x=1", "/2?x=1"]
    assert {callback.body for callback in callbacks} == {b"\xff\x00"}
    assert callbacks[0].headers["a-b"] == "c"


def test_the_answer_is_the_callers_to_choose() -> None:
    reply = Reply(503, {"Retry-After": "5"}, b"later")
    with Receiver(answer=lambda callback: reply) as receiver:
        answer = requests.post(receiver.url, b"{}", timeout=9)

    assert (answer.status_code, answer.headers["retry-after"], answer.text) == (503, "5", "later")


def test_waiting_says_how_many_came(receiver: Receiver) -> None:
    requests.post(receiver.url, b"{}", timeout=9)

    with pytest.raises(TimeoutError, match=r"1 of 2 callbacks came in 0\.01 s"):
        receiver.wait_for(2, timeout_seconds=0.01)


def test_a_body_beyond_the_limit_is_not_read(receiver: Receiver) -> None:
    answer = requests.post(receiver.url, headers={"content-length": "99999999999"}, timeout=9)

    assert (answer.status_code, receiver.callbacks) == (413, [])


def test_a_request_that_is_broken_off_is_none(receiver: Receiver) -> None:
    """As when the notifier is killed between a request's head and its body."""
    with socket.create_connection((receiver.host, receiver.port), timeout=9) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b"", "it is not answered"

    assert receiver.callbacks == []


def test_closing_breaks_connections_off_and_frees_the_port() -> None:
    hanging = threading.Event()
    came = threading.Event()

    def hang(callback: Callback) -> Reply:
        came.set()
        hanging.wait(30)
        return Reply()

    receiver = Receiver(answer=hang)
    failed: list[Exception] = []

    def post() -> None:
        try:
            requests.post(receiver.url, b"{}", timeout=20)
        except requests.ConnectionError as error:
            failed.append(error)

    thread = threading.Thread(target=post)
    thread.start()
    assert came.wait(9)
    receiver.close()
    thread.join(9)
    hanging.set()

    assert len(failed) == 1
    with Receiver(port=receiver.port) as again:
        assert again.port == receiver.port


def test_a_callback_is_laid_out_for_people() -> None:
    callback = Callback("POST", "/hook\x1b", {"webhook-id": "d-1"}, b'{"alarm_name": "zo\\u00eb"}')

    assert described(callback, repeated=True) == (
        "POST /hook\\x1b\n"
        "  webhook-id: d-1   (a repeat: this id came before)\n"
        "  {\n"
        '    "alarm_name": "zo\\u00eb"\n'
        "  }"
    )


def test_what_is_not_json_is_shown_as_bytes() -> None:
    assert described(Callback("GET", "/", {}, b"\x1b")).endswith("  b'\\x1b'")


def test_by_hand_it_prints_each_callback_until_it_is_told_to_end() -> None:
    command = [sys.executable, "-m", "pipeline.receiver", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        for _ in range(2):
            requests.post(f"{url}/a", b'{"x": 1}', headers={"webhook-id": "d-1"}, timeout=9)
        process.send_signal(signal.SIGTERM)
        printed = process.stdout.read()

    assert process.returncode == 0
    assert printed.count("POST /a\n") == 2
    assert printed.count("(a repeat: this id came before)") == 1
    assert '    "x": 1\n' in printed
