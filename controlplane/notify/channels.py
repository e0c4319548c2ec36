"""Which integrations there are: those in force, and those that only wind up."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from controlplane.notify.ports import Integration

# A receiver and the name of one of its integrations, such as ("ops", "slack/0").
Channel = tuple[str, str]


class Channels:
    """The integrations by receiver and name.

    One that a reload removed is kept as retired, so that what it has open can
    be resolved with the keys and addresses it was opened with.
    """

    def __init__(self, integrations: Mapping[str, Sequence[Integration]]) -> None:
        self._current = _by_channel(integrations)
        self._retired: dict[Channel, Integration] = {}
        self._uses: Counter[Integration] = Counter()
        self._replaced: set[Integration] = set()

    def of(self, receiver: str) -> Sequence[tuple[Channel, Integration]]:
        """Return what is told when a group is routed to `receiver`."""
        return [
            (channel, found) for channel, found in self._current.items() if channel[0] == receiver
        ]

    def all(self) -> Sequence[tuple[Channel, Integration]]:
        """Return all that are in force."""
        return tuple(self._current.items())

    def find(self, channel: Channel) -> Integration | None:
        """Return an integration in force or retired."""
        return self._current.get(channel) or self._retired.get(channel)

    @asynccontextmanager
    async def use(self, channel: Channel) -> AsyncIterator[Integration | None]:
        """Give an integration that is not closed before the end of the block."""
        integration = self.find(channel)
        if integration is None:
            yield None
            return
        self._uses[integration] += 1
        try:
            yield integration
        finally:
            self._uses[integration] -= 1
            if not self._uses[integration]:
                del self._uses[integration]
                if integration in self._replaced:
                    self._replaced.remove(integration)
                    await integration.close()

    def retired(self) -> Sequence[Channel]:
        """Return the channels that a reload removed and that may still have incidents."""
        return tuple(self._retired)

    async def reload(self, integrations: Mapping[str, Sequence[Integration]]) -> None:
        """Change to other integrations; removed ones retire.

        Replaced ones are closed as soon as no attempt uses them any more.
        """
        new = _by_channel(integrations)
        replaced = [old for channel, old in self._current.items() if channel in new]
        gone = {channel: old for channel, old in self._current.items() if channel not in new}
        back = [self._retired.pop(channel) for channel in new if channel in self._retired]
        self._current = new
        self._retired.update(gone)
        await self._close({*replaced, *back} - {*new.values()})

    async def dismiss(self, channel: Channel) -> None:
        """Close a retired integration that has nothing open any more."""
        integration = self._retired.pop(channel, None)
        if integration is not None:
            await self._close({integration})

    async def close(self) -> None:
        """Close every integration, whoever uses it."""
        for integration in {*self._current.values(), *self._retired.values(), *self._replaced}:
            await integration.close()

    async def _close(self, integrations: set[Integration]) -> None:
        busy = {integration for integration in integrations if self._uses[integration]}
        self._replaced |= busy
        for integration in integrations - busy:
            await integration.close()


def _by_channel(integrations: Mapping[str, Sequence[Integration]]) -> dict[Channel, Integration]:
    return {
        (receiver, integration.name): integration
        for receiver, several in integrations.items()
        for integration in several
    }
