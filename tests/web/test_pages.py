"""The web server's machine: what it serves, to which names, with which protection."""

import json
import re

import pytest

from imslab.ims.http import Request, Response
from imslab.web.pages import CLIENT, Pages

HOST = "127.0.0.1:8080"


@pytest.fixture
def pages() -> Pages:
    return Pages(
        {
            "alice": lambda: {"name": "alice", "sip": "ws://127.0.0.21:5080/alice"},
            "bob": lambda: {"name": "bob"},
        },
        connect=lambda: ["ws://127.0.0.21:5080", "ws://127.0.0.1:8081"],
        hosts=lambda: [HOST],
        health=lambda: {
            "registered": ["alice"],
            "core": "<here>",
            "cards": {"alice": True, "bob": False},
            "none": [],
        },
        deeds={
            "POST /alice/token": lambda request, now: Response(201, body=request.body + str(now).encode())
        },
    )


def asked(pages: Pages, target: str, method: str = "GET", host: str | None = HOST) -> Response:
    headers = (("Host", host),) if host is not None else ()
    return pages(Request(method, target, headers=headers), 1.0)


def test_each_subscriber_has_a_page_with_its_own_files(pages: Pages) -> None:
    for name in ("alice", "bob"):
        page = asked(pages, f"/{name}")
        assert page.status == 200
        links = re.findall(r'(?:src|href)="([^"#]+)"', page.body.decode())
        assert links
        for link in links:
            assert link.startswith(f"/{name}/client/")
            assert asked(pages, link).status == 200


def test_every_module_that_is_imported_is_served(pages: Pages) -> None:
    seen, waiting = set(), ["app.js"]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        answer = asked(pages, f"/alice/client/{name}")
        assert answer.get("Content-Type") == "text/javascript; charset=utf-8"
        waiting += re.findall(r'from "\./([\w-]+\.js)"', answer.body.decode())
    assert seen == {path.name for path in CLIENT.glob("*.js")}  # and none is left over


def test_settings_are_made_for_each_request(pages: Pages) -> None:
    answer = asked(pages, "/alice/settings.json?x=1")
    assert json.loads(answer.body) == {"name": "alice", "sip": "ws://127.0.0.21:5080/alice"}


@pytest.mark.parametrize("target", ["/alice", "/alice/client/app.js", "/alice/settings.json", "/", "/health"])
def test_a_policy_stands_on_everything(pages: Pages, target: str) -> None:
    answer = asked(pages, target)
    policy = dict(one.split(" ", 1) for one in (answer.get("Content-Security-Policy") or "").split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws://127.0.0.21:5080 ws://127.0.0.1:8081"
    assert answer.get("X-Content-Type-Options") == "nosniff"
    assert answer.get("Set-Cookie") is None
    assert answer.get("Content-Length") == str(len(answer.body))


@pytest.mark.parametrize("host", ["evil.test:8080", "127.0.0.1", "127.0.0.1:8081", "", None])
def test_it_answers_to_its_own_name_only(pages: Pages, host: str | None) -> None:
    assert asked(pages, "/alice", host=host).status == 421


@pytest.mark.parametrize(
    "target",
    [
        "/carol", "/alice/client/../pages.py", "/alice/client/%2e%2e/pages.py", "/client/pages.py",
        "/etc/passwd", "//etc/passwd", "/alice/client/", "/alice/x/client/app.js", "/carol/client/app.js",
        "/health/x", "/alice/bob",
        "/carol/settings.json", "/alice/client/app.js/x", "*", "/alice\\client\\app.js",
    ],
)  # fmt: skip
def test_what_is_not_there(pages: Pages, target: str) -> None:
    assert asked(pages, target).status == 404


def test_other_methods(pages: Pages) -> None:
    head = asked(pages, "/alice", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.get("Content-Length") or 0) > 1000
    refused = asked(pages, "/alice", "POST")
    assert (refused.status, refused.get("Allow")) == (405, "GET, HEAD")


def test_deeds_are_done_where_they_are_named(pages: Pages) -> None:
    request = Request("POST", "/alice/token", headers=(("Host", HOST),), body=b"now ")
    assert pages(request, 7.0).body == b"now 7.0"
    assert asked(pages, "/alice/token").status == 404
    assert asked(pages, "/alice/token", "POST", host="evil.test").status == 421


def test_health_is_shown_in_words_and_as_json(pages: Pages) -> None:
    text = asked(pages, "/health").body.decode()
    assert "&lt;here&gt;" in text and "<here>" not in text
    assert "alice: yes; bob: no" in text
    assert "<dd>none</dd>" in text
    assert json.loads(asked(pages, "/health.json").body)["registered"] == ["alice"]


def test_the_front_page_leads_to_each_phone(pages: Pages) -> None:
    text = asked(pages, "/").body.decode()
    assert 'href="/alice"' in text and 'href="/bob"' in text and 'href="/health"' in text
