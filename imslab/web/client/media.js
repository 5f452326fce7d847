// What this end sends, and what arrives: camera and microphone or a test picture, and the statistics.
//
// W3C Media Capture and Streams; WebRTC 1.0; Identifiers for WebRTC's Statistics API.

const VIDEO = { width: { ideal: 640 }, height: { ideal: 480 } };

// Camera and microphone; where there is none, or they may not be used, a test picture and a tone.
// Returns { stream, notice }: what a person should know, or "".
export async function openMedia({ video, name }) {
  try {
    return { stream: await navigator.mediaDevices.getUserMedia({ audio: true, video: video && VIDEO }), notice: "" };
  } catch (error) {
    const why = error.name === "NotAllowedError" ? "may not be used" : "are not there";
    const what = video ? "Camera and microphone" : "The microphone";
    return { stream: testStream({ video, name }), notice: `${what} ${why}: the other side gets a test signal.` };
  }
}

// A picture that moves, with the subscriber's name and a clock, and a quiet tone.
export function testStream({ video, name }) {
  const tracks = [tone(), ...(video ? [picture(name)] : [])];
  return new MediaStream(tracks);
}

function tone() {
  const context = new AudioContext();
  const oscillator = new OscillatorNode(context, { frequency: 440 });
  const quiet = new GainNode(context, { gain: 0.05 });
  const out = new MediaStreamAudioDestinationNode(context);
  oscillator.connect(quiet).connect(out);
  oscillator.start();
  const [track] = out.stream.getAudioTracks();
  return whenStopped(track, () => context.close());
}

function picture(name) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const paint = canvas.getContext("2d");
  const draw = () => {
    const now = new Date();
    paint.fillStyle = `hsl(${(now.getTime() / 50) % 360} 45% 30%)`;
    paint.fillRect(0, 0, 640, 480);
    paint.fillStyle = "white";
    paint.textAlign = "center";
    paint.font = "bold 72px sans-serif";
    paint.fillText(name, 320, 220);
    paint.font = "48px monospace";
    paint.fillText(now.toISOString().slice(11, 21), 320, 300);
  };
  draw();
  const timer = setInterval(draw, 66);
  const [track] = canvas.captureStream(15).getVideoTracks();
  return whenStopped(track, () => clearInterval(timer));
}

// stop() tells nobody: what feeds the track is ended here.
function whenStopped(track, end) {
  const stop = track.stop.bind(track);
  track.stop = () => {
    stop();
    end();
  };
  return track;
}

export const closeMedia = (stream) => stream?.getTracks().forEach((track) => track.stop());

// What a person can be shown of a call: octets and frames that arrived, codecs, how they are protected.
export async function statistics(connection) {
  const all = [...(await connection.getStats()).values()];
  const incoming = all.filter((one) => one.type === "inbound-rtp");
  const transport = all.find((one) => one.type === "transport");
  const codec = (one) => all.find((other) => other.id === one.codecId)?.mimeType.split("/")[1] ?? "";
  const video = incoming.find((one) => one.kind === "video");
  return {
    octets: incoming.reduce((sum, one) => sum + (one.bytesReceived ?? 0), 0),
    frames: video?.framesDecoded ?? 0,
    size: video?.frameWidth ? `${video.frameWidth}×${video.frameHeight}` : "",
    codecs: incoming.map(codec).filter(Boolean),
    lost: incoming.reduce((sum, one) => sum + (one.packetsLost ?? 0), 0),
    srtp: transport?.srtpCipher ?? "",
    dtls: { FEFD: "1.2", FEFC: "1.3" }[transport?.tlsVersion] ?? "", // RFC 6347 and RFC 9147
  };
}
