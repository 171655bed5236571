import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("body", "code"),
    [("pass", 0), ("pytest.skip('not today')", 1), ("raise AssertionError", 1)],
)
def test_a_run_with_a_skipped_test_fails(tmp_path: Path, body: str, code: int) -> None:
    (tmp_path / "test_it.py").write_text(f"import pytest\n\ndef test_it():\n    {body}\n")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.no_skips", "-c", "/dev/null", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == code
    assert ("skipped, which is not allowed" in result.stdout) == ("skip" in body)
