"""What an evaluation can end in, besides a value.

ControlPlaneError
├── EvaluationError     the query is well-formed, its answer is not defined
│   └── TooManySamples  it would hold more samples than is allowed
├── QueryCanceled       whoever asked no longer wants the answer
└── DeadlineExceeded    (controlplane.errors) it took too long
"""

from controlplane.errors import ControlPlaneError


class EvaluationError(ControlPlaneError):
    """The expression has no answer over these samples, in upstream's words."""


class TooManySamples(EvaluationError):
    """The sample limit of the engine is reached."""

    def __init__(self) -> None:
        super().__init__(
            "query processing would load too many samples into memory in query execution"
        )


class QueryCanceled(ControlPlaneError):
    """The query was cancelled while it was evaluated."""

    def __init__(self) -> None:
        super().__init__("query was canceled in expression evaluation")
