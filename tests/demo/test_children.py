"""Child processes: whatever happens to the demo, none of them is left."""

from __future__ import annotations

import httpx
import pytest

from cli.demo.children import Children, DemoError, free_ports


def test_leaving_the_block_stops_every_child(tmp_path):
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/admin/totals"
    with Children(tmp_path) as children:
        child = children.start("provider", "cli.demo.provider", ("--port", str(port)))
        children.await_answer(child, url)
        assert httpx.get(url).json() == {"served": 0, "limited": 0, "cost": "0"}
    assert child.process.returncode is not None
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_child_that_dies_is_named_with_its_last_words(tmp_path):
    with Children(tmp_path) as children:
        children.start("provider", "cli.demo.provider", ())
        with pytest.raises(DemoError, match=r"provider stopped \(exit 2\): .*--port"):
            children.wait_until(lambda: False, "never", 60.0)


def test_a_wait_that_takes_too_long_says_for_what(tmp_path):
    with Children(tmp_path) as children, pytest.raises(DemoError, match="the moon"):
        children.wait_until(lambda: False, "the moon did not rise", 0.0)
