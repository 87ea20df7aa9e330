import io
import sys

import pytest
from rich.console import Console

from spectrafit.cli.spelling import speak_any


def printed(encoding: str, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    speak_any()
    print(text)
    Console().print(text)
    sys.stdout.flush()
    one, two = raw.getvalue().decode(encoding).splitlines()
    assert one == two
    return one


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "1.3 ± 0.2 (1e-9 mu_B)², ν région 区"),
        ("ascii", "1.3 +- 0.2 (1e-9 mu_B)^2, nu r\\xe9gion \\u533a"),
        ("iso-8859-1", "1.3 ± 0.2 (1e-9 mu_B)², nu région \\u533a"),
    ],
)
def test_every_character_can_be_printed(encoding: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert printed(encoding, monkeypatch, "1.3 ± 0.2 (1e-9 mu_B)², ν région 区") == shown
