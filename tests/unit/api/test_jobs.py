"""`/api/v1/jobs`."""

import httpx


async def test_jobs_are_listed(api: httpx.AsyncClient) -> None:
    """Each with its schedule and its next run; what has not come is null."""
    answer = await api.get("/api/v1/jobs")
    assert answer.status_code == 200
    job = next(each for each in answer.json()["items"] if each["name"] == "retention")
    assert job["schedule"] == "1h"
    assert job["next_at"] is not None
    assert (job["running"], job["result"], job["started_at"], job["runs"]) == (False, None, None, 0)
