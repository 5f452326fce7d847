"""The lab over the air: the server changes the card, the HSS is told, and the next login shows it."""

import pytest

from imslab import ImslabError, Lab
from imslab.data import path
from imslab.uicc.ota import (
    TAR_ISIM,
    ScriptAnswer,
    Status,
    command_packet,
    isim_update,
    seal,
    unseal_response,
)

NEW = "sip:alice.new@ims.mnc001.mcc001.3gppnetwork.org"


async def test_a_new_identity_over_the_air_shows_in_the_next_login() -> None:
    async with Lab(seed="ota") as lab:
        first = await lab.alice.register()
        keys = lab.alice.card.software.profile.ota[0]  # type: ignore[union-attr]
        command = command_packet(keys, TAR_ISIM, isim_update(impu=[NEW], pcscf=["pcscf2.example"]), 1)
        answer = unseal_response(lab.alice.card.ota(seal(command, keys)), command, keys)
        assert (answer.status, ScriptAnswer.parse(answer.data)) == (Status.OK, ScriptAnswer(4, 0x9000))
        assert lab.alice.card.profile.impu[0] == NEW
        assert lab.alice.card.profile.pcscf[0] == "pcscf2.example"
        assert lab.alice.profile is not None
        await lab.alice.provision(impu=(NEW, *lab.alice.profile.impu[1:]))
        second = await lab.alice.register()
        assert (first.result, second.result) == ("registered", "registered")
        assert first.impu != second.impu == NEW
        labels = list(lab.alice.card.apdus["label"])
        assert "ENVELOPE (SMS-PP download)" in labels
        assert lab.capture.apdus["label"].str.contains("SMS-PP").any()


async def test_without_the_hss_the_new_identity_is_refused() -> None:
    async with Lab(seed="ota") as lab:
        await lab.alice.register()
        keys = lab.alice.card.software.profile.ota[0]  # type: ignore[union-attr]
        command = command_packet(keys, TAR_ISIM, isim_update(impu=[NEW]), 1)
        lab.alice.card.ota(seal(command, keys))
        with pytest.raises(ImslabError, match="403"):
            await lab.alice.register()


async def test_a_recording_has_no_hss() -> None:
    lab = Lab(trace=path("traces", "register-akav2.pcapng"))
    with pytest.raises(ImslabError, match="recording"):
        await lab.alice.provision(impu=(NEW,))
