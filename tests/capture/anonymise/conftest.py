"""What the tests of anonymising share: the parts, with keys and without."""

import pytest

from imslab.aka import Milenage
from tests.capture.anonymise.parts import OPC, K, Parts, parts


@pytest.fixture
def made() -> Parts:
    return parts()


@pytest.fixture
def keyed() -> Parts:
    return parts(keys=(Milenage(K, OPC),))
