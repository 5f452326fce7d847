"""The modules of the page, asked one by one in Chromium: digests, SIP messages, TLVs."""

import base64
import hashlib
import hmac

import pytest
import pytest_asyncio

from imslab.aka import digest
from imslab.data import vectors
from imslab.lab import Seeded
from tests.browser import chromium
from tests.browser.chromium import state

pytestmark = [pytest.mark.component("chromium"), pytest.mark.asyncio(loop_scope="session")]

KNOWN = ("AKAv1-MD5", "AKAv1-SHA-256", "AKAv2-MD5", "AKAv2-SHA-256")
AKA = [one for name in ("akav1", "akav2") for one in vectors(name)["vectors"] if one["algorithm"] in KNOWN]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def module(browser):
    """Return a function that runs ``body`` with the names of some modules of the client."""
    async with chromium.staged(browser, robot=None) as stage:
        page = await stage.open("alice")

        async def run(names, body, argument=None):
            loads = "".join(
                f"const {{{wanted}}} = await import('{stage.demo.origin}/alice/client/{file}');\n"
                for file, wanted in names.items()
            )
            return await page.evaluate(f"async (given) => {{\n{loads}{body}\n}}", argument)

        yield run


async def test_akav1_and_akav2_give_the_published_answers(module):
    body = """
        const answers = [];
        for (const one of given) {
            const keys = { res: unhex(one.res), ik: unhex(one.ik ?? ""), ck: unhex(one.ck ?? "") };
            const password = one.auts ? new Uint8Array() : await akaPassword(one.algorithm, keys);
            const said = { ...one, password, body: text(unhex(one.entity_body)) };
            const { rand, autn } = one.rand ? parseNonce(one.nonce) : { rand: [], autn: [] };
            answers.push([
                hex(password), await response(one.algorithm, said), await rspauth(one.algorithm, said),
                hex(rand), hex(autn)]);
        }
        return answers;"""
    names = {
        "digest.js": "akaPassword, parseNonce, response, rspauth",
        "octets.js": "hex, text, unhex",
    }
    answers = await module(names, body, AKA)
    assert len(AKA) > 35
    for one, (password, response, rspauth, rand, autn) in zip(AKA, answers, strict=True):
        assert password == ("" if one.get("auts") else one["password_hex"]), one["id"]
        assert response == one["response"], one["id"]
        if "rspauth_empty_body" in one:
            assert rspauth == one["rspauth_empty_body"], one["id"]
        assert (rand, autn) == (one.get("rand", "") or "", one.get("autn", "") or ""), one["id"]


async def test_digest_with_a_password_gives_the_published_answers(module):
    known = [one for one in vectors("digest")["vectors"] if one["algorithm"] in ("MD5", "SHA-256")]
    body = """
        return Promise.all(given.map((one) => response(one.algorithm, {
            ...one, password: utf8(one.password), body: one.entity_body })));"""
    answers = await module({"digest.js": "response", "octets.js": "utf8"}, body, known)
    assert answers == [one["response"] for one in known]
    assert known


async def test_md5_and_hmac_of_every_length(module):
    """The padding of MD5 turns at 55, 56, 63 and 64 octets: hashlib is asked the same."""
    texts = [Seeded(f"{n}")(n).hex() if n else "" for n in range(130)]
    body = """
        const key = unhex("0b".repeat(20)), long = unhex("aa".repeat(80));
        return Promise.all(given.map(async (one) => [
            hex(md5(unhex(one))), hex(hmac("MD5", key, unhex(one))),
            hex(sha256(unhex(one))), hex(hmac("SHA-256", long, unhex(one)))]));"""
    names = {"md5.js": "md5", "sha256.js": "sha256", "hash.js": "hmac", "octets.js": "hex, unhex"}
    for text, got in zip(texts, await module(names, body, texts), strict=True):
        octets = bytes.fromhex(text)
        assert got == [
            hashlib.md5(octets).hexdigest(),
            hmac.new(b"\x0b" * 20, octets, "md5").hexdigest(),
            hashlib.sha256(octets).hexdigest(),
            hmac.new(b"\xaa" * 80, octets, "sha256").hexdigest(),
        ]


async def test_a_nonce_without_its_padding_and_one_that_is_too_short(module):
    long = digest.nonce_for(bytes(16), bytes(range(16)), b"x")
    body = """
        const read = (one) => { try { return hex(parseNonce(one).autn); } catch { return "refused"; } };
        return given.map(read);"""
    short = base64.b64encode(bytes(31)).decode()
    got = await module(
        {"digest.js": "parseNonce", "octets.js": "hex"}, body, [long.rstrip("="), short, "no base64!", ""]
    )
    assert got == [bytes(range(16)).hex(), "refused", "refused", "refused"]


async def test_torture_messages_are_read_or_refused_and_nothing_else(module):
    messages = vectors("sip_torture")["messages"]
    octets = [one["octets_base64"] for one in messages]
    body = """
        return given.map((one) => {
            try {
                const message = SipMessage.parse(unbase64(one));
                const again = SipMessage.parse(message.toString());
                return again.toString() === message.toString() ? "read" : "another";
            } catch (error) { return error.name; }
        });"""
    got = await module({"sip-message.js": "SipMessage", "octets.js": "unbase64"}, body, octets)
    assert set(got) <= {"read", "Malformed"}
    must = {one["id"]: answer for one, answer in zip(messages, got, strict=True)}
    refused = [name for name, answer in must.items() if answer == "Malformed"]
    wanted = {one["id"] for one in messages if one["parse"] == "must_accept"}
    assert wanted
    assert [name for name in refused if name in wanted] == []
    assert {"rfc4475-mcl01", "rfc4475-ncl"} & set(refused)  # what a parser must not take


async def test_parts_of_headers(module):
    body = """
        const [challenge] = challenges(SipMessage.parse(given[0]), "WWW-Authenticate");
        return {
            challenge, split: splitOutside(given[1], ","), address: nameAddr(given[2]).uri,
            display: nameAddr(given[2]).display, tag: nameAddr(given[2]).params.get("tag"),
            bare: nameAddr("sip:x@y;tag=3").uri,
        };"""
    rows = [
        "SIP/2.0 401 U", "v: SIP/2.0/WS h;branch=z", "f: <sip:a@b>;tag=1", "t: <sip:a@b>", "i: 1",
        "CSeq: 1 X",
        'WWW-Authenticate: Digest realm="a, \\"b\\"", nonce="n==", algorithm=AKAv2-MD5, qop="auth,auth-int"',
    ]  # fmt: skip
    given = ["\r\n".join([*rows, "", ""]), '"a,b" <sip:x,y>, <sip:z>', '"Al \\"x\\" <y>" <sip:al@b;lr>;tag=7']
    got = await module({"sip-message.js": "SipMessage, challenges, nameAddr, splitOutside"}, body, given)
    assert got["challenge"] == {
        "scheme": "Digest",
        "realm": 'a, "b"',
        "nonce": "n==",
        "algorithm": "AKAv2-MD5",
        "qop": "auth,auth-int",
    }
    assert got["split"] == ['"a,b" <sip:x,y>', "<sip:z>"]
    assert (got["address"], got["display"], got["tag"]) == ("sip:al@b;lr", 'Al "x" <y>', "7")
    assert got["bare"] == "sip:x@y"


async def test_tlvs(module):
    body = """
        const shown = ([tag, value]) => `${tag.toString(16)}=${hex(value)}`;
        return given.map((one) => {
            try { return [...parseTlv(unhex(one))].map(shown); }
            catch (error) { return error.message; }
        });"""
    given = [
        "8003616263ffff",
        "80810141",
        "8082000141",
        "8005ff",
        "62028001",
        "ff",
        "",
        "8002aabb8001cc",
        "80",
    ]
    got = await module({"tlv.js": "parseTlv", "octets.js": "hex, unhex"}, body, given)
    assert got == [
        *(["80=616263"], ["80=41"], ["80=41"], "a TLV is cut"),
        *(["62=8001"], [], [], ["80=aabb"], "a TLV is cut"),
    ]


async def test_the_page_says_when_in_words(module):
    body = """
        const now = new Date(2026, 0, 5, 12, 0).getTime();
        return [when(now + 3600e3, now), when(now + 4 * 86400e3, now)];"""
    today, later = await module({"words.js": "when"}, body)
    assert "1:00" in today or "13:00" in today
    assert later.startswith("Friday, ")


async def test_every_state_has_words(module):
    body = """
        const about = { error: new Error("because"), address: "ws://x", until: Date.now(), how: "AKAv2-MD5" };
        return Object.entries(STATES).map(([name, words]) => [name, words(about)]);"""
    states = dict(await module({"words.js": "STATES"}, body))
    assert len(states) > 15
    for name, words in states.items():
        assert words["tone"] in ("good", "busy", "wait", "bad"), name
        assert words["title"] and words["text"].endswith("."), name
        assert words.get("can") in (None, "login", "logout"), name


async def test_a_page_that_starts_twice_is_paired_once(stage):
    page = await stage.open("alice")
    await page.reload()
    await state(page, "ready")
    entries = [entry.what for entry in stage.demo.people["alice"].bridge.audit.entries]
    assert entries.count("pair") == 1
