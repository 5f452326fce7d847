"""Exercises with an immediate check, and attacks that must fail.

How a notebook author declares an exercise, in three cells:

1. a markdown cell asks: ``**Exercise 03-2.** Which octets of AUTN are the AMF?``
2. a code cell with the tag ``solution`` answers: ``answer = vector.autn[6:8]``
3. a code cell checks: ``check("03-2", answer, expected=lambda: vector.amf, hint="after SQN xor AK")``

``expected`` is what the package computes from the notebook's own data, or ``sealed`` is what
``seal(answer)`` gave, where the road to the answer must not stand on the page. ``make notebooks``
runs the solved notebook, and there a wrong answer is an error; for a student it is "not yet", with
the hint. ``make student-edition`` empties the cells with the tag ``solution`` to ``answer = ...``.

An attack: ``with imslab.refuses(MacFailure) as caught: ...`` fails when nothing is refused.
"""

from imslab.course.check import Verdict, check, seal
from imslab.course.refuses import refuses

__all__ = ["Verdict", "check", "refuses", "seal"]
