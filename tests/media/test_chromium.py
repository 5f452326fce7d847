"""An end of a call against Debian's Chromium, which hides its addresses behind names of the local network."""

import asyncio
import io

import numpy as np
import pytest
from PIL import Image

from imslab.media import WebRtcEndpoint
from tests.browser import chromium

pytestmark = pytest.mark.component("chromium")

# A tone of 620 Hz and a red picture in which something moves; then the offer, or the answer to one.
PAGE = """async (offer) => {
  const pc = window.pc = new RTCPeerConnection();
  pc.ontrack = ({streams}) => { const player = new Audio(); player.srcObject = streams[0]; player.play(); };
  const audio = new AudioContext(), out = audio.createMediaStreamDestination();
  const tone = audio.createOscillator();
  tone.frequency.value = 620;
  tone.connect(out);
  tone.start();
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  setInterval(() => {
    pen.fillStyle = "rgb(200, 40, 40)";
    pen.fillRect(0, 0, 300, 150);
    pen.fillStyle = "white";
    pen.fillRect(Date.now() % 280, 130, 20, 20);
  }, 50);
  pc.addTrack(out.stream.getTracks()[0]);
  pc.addTrack(canvas.captureStream(15).getTracks()[0]);
  if (offer) await pc.setRemoteDescription({type: "offer", sdp: offer});
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete")
    await new Promise(done => { pc.onicegatheringstatechange = done; });
  return pc.localDescription.sdp;
}"""
COUNTS = """async () => {
  const found = [...(await pc.getStats()).values()].filter(one => one.type === "inbound-rtp");
  return {audio: 0, video: 0, ...Object.fromEntries(
    found.map(one => [one.kind, one.framesDecoded ?? one.totalAudioEnergy]))};
}"""


@pytest.mark.parametrize("caller", ["the page", "the endpoint"])
async def test_a_browser_hears_and_sees_and_is_heard_and_seen(recording, caller):
    end = WebRtcEndpoint("bob", "127.0.9.12", tap=recording.tap)
    async with chromium.launched("--autoplay-policy=no-user-gesture-required") as browser:
        page = await browser.new_page()
        try:
            if caller == "the page":
                offer = await page.evaluate(PAGE, None)
                assert ".local " in offer
                answer = (await end.answer(offer.encode())).decode()
                await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
            else:
                answer = await page.evaluate(PAGE, (await end.offer()).decode())
                await end.accept(answer.encode())
            await end.connected(timeout=20)
            await end.recorded(seconds=1, pictures=5, timeout=20)
            async with asyncio.timeout(20):
                while not all((await page.evaluate(COUNTS)).values()):
                    await asyncio.sleep(0)
        finally:
            await end.close()
    assert end.sound.pitch == pytest.approx(620, abs=5)
    picture = np.asarray(Image.open(io.BytesIO(end.pictures[-1])))
    red, green, blue = picture[60, 150]
    assert red > 150 > 80 > max(green, blue)  # colours suffer on the way
    assert recording.capture.secrets  # with aiortc on one side it is DTLS 1.2, which can be opened
