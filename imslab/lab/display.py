"""Sound and pictures in a notebook: small enough to be stored with it."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from imslab.media import Sound

_RATE = 8000  # samples a second that a player in a notebook gets: a tone needs no more


def audio(sound: "Sound", seconds: float) -> Any:
    """Return a player (IPython Audio) of the last ``seconds`` of ``sound``, at 8 kHz or less."""
    from IPython import display

    from imslab.media.sound import Sound

    step = max(sound.rate // _RATE, 1)
    taken = sound.samples[-max(round(seconds * sound.rate), step) :]
    whole = taken[: len(taken) // step * step].reshape(-1, step)
    slower = Sound(
        whole.mean(axis=1).astype(np.int16), sound.rate // step
    )  # the mean keeps out what is higher
    player: Any = display.Audio
    return player(data=slower.wav)


def image(png: bytes) -> Any:
    """Return a picture (IPython Image) of a PNG file."""
    from IPython import display

    picture: Any = display.Image
    return picture(data=png)
