"""`/api/v1`: the API that must not break later. Lists, problems, durations and times as documented."""
