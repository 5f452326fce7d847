"""Kamailio with the configuration of the kit: SIPp registers through all its CSCFs, our HSS behind them."""

from dataclasses import replace
from pathlib import Path

import pytest

from imslab.data import profile_path
from imslab.interop import Target, chosen, kamailio, write
from imslab.kamailio import Configuration, Kamailio
from imslab.net.terminal import Terminal
from imslab.uicc import Card, IsimClient, Profile
from tests.interop.subscribers import NoZeroInRes, prepare, run, subscriber

TARGET = Target(pcscf="127.0.12.21", port=5070, local="127.0.12.71")


def beside(target: Target, profile: Profile) -> Configuration:
    """Return the kit's configuration, with all nodes in the block of addresses of its P-CSCF."""
    block = target.pcscf.rpartition(".")[0]
    nodes = {name: f"{block}.{last}" for name, last in (("icscf", 25), ("scscf", 31), ("hss", 41))}
    return replace(kamailio.configuration(profile, target), **nodes)  # type: ignore[arg-type]


def test_it_is_what_imslab_kamailio_writes(tmp_path: Path) -> None:
    target = replace(TARGET, algorithm="AKAv2-MD5")
    write(subscriber(), tmp_path / "kit", target, chosen(["kamailio"]))
    same = Configuration(
        pcscf="127.0.12.21", domain=subscriber().domain, port=5070, algorithm="AKAv2-MD5",
        trace=("127.0.12.21", 9060),
    )  # fmt: skip
    assert kamailio.configuration(subscriber(), target) == same
    ours = tmp_path / "kit" / "kamailio"
    same.write(tmp_path / "same")
    for path in (one for one in (tmp_path / "same").rglob("*") if one.is_file()):
        kit = (ours / path.relative_to(tmp_path / "same")).read_text("utf-8")
        assert kit == path.read_text("utf-8").replace(str(tmp_path / "same"), str(ours))


def test_what_it_cannot_take() -> None:
    def said(target: Target, domain: str = "") -> list[tuple[str, bool]]:
        profile = replace(subscriber(), domain=domain) if domain else subscriber()
        return [(limit.why, limit.blocks) for limit in kamailio.limits(profile, target)]

    assert said(TARGET) == [("offers one algorithm at a time", False)]
    assert said(replace(TARGET, algorithm="AKAv2-MD5"))[0][0].startswith("AKAv2 is a name in it")
    assert said(replace(TARGET, algorithm="AKAv2-SHA-256"))[0] == (
        "Kamailio does not know AKAv2-SHA-256; expected AKAv1-MD5 or AKAv2-MD5", True,
    )  # fmt: skip
    assert "is no domain name" in said(TARGET, 'x"; exec(')[0][0]
    assert "imslab kamailio run" in kamailio.usage(subscriber(), TARGET)


@pytest.mark.component("kamailio", "sipp")
async def test_sipp_registers_through_it(tmp_path: Path) -> None:
    async with Kamailio(beside(TARGET, subscriber()), random=NoZeroInRes("kamailio")) as core:
        core.add([subscriber()])
        prepare(tmp_path, [subscriber()], TARGET)
        outcome = await run(tmp_path, "register.xml", TARGET, "-r", "10", "-l", "1", calls=10)
    assert outcome[:3] == (10, 0, 0), outcome.output


@pytest.mark.component("kamailio")
@pytest.mark.parametrize(("algorithm", "block"), [("tuak", "127.0.17"), ("xor", "127.0.18")])
async def test_every_algorithm_of_a_card_is_the_same_to_it(algorithm: str, block: str) -> None:
    carol = Profile.load(profile_path("carol"))
    if algorithm == "xor":
        carol = Profile(imsi=carol.imsi, k=bytes(range(16)), algorithm="xor", isim=False)
    async with Kamailio(beside(Target(pcscf=f"{block}.21"), carol)) as core:
        core.add([carol])
        client = IsimClient(Card(carol))
        terminal = Terminal(client.read_profile(), client, core.addresses["UDP"], host=f"{block}.11")
        try:
            registered = await terminal.register("AKAv1-MD5")
            assert registered.call_id
        finally:
            await terminal.aclose()
