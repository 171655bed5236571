"""Schedules of crashes, run for real (R1, R11). `make crash` runs 10,000 of them."""

import pytest

from tests.crash import parallel


@pytest.mark.parametrize(("schedules", "http"), [(120, False), (60, True)], ids=["tcp", "http"])
def test_nothing_is_lost_or_doubled_whatever_is_killed_when(schedules: int, http: bool) -> None:
    reports = list(parallel.run(first=0, count=schedules, jobs=2, http=http))
    failed = [str(report) for report in reports if report.problem]
    assert not failed, "\n\n".join(failed)
    assert len(reports) == schedules
    assert sum(report.struck for report in reports) > schedules / 3, "the crashes did not happen"
