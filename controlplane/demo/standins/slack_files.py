"""Files at the stand-in of Slack: announced, uploaded, put into a channel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controlplane.demo.standins.server import Reply


@dataclass(slots=True)
class SlackFile:
    """A file on its way, or in a channel or thread once it is complete."""

    id: str
    name: str
    length: int
    alt: str
    content: bytes = b""
    title: str = ""
    channel: str = ""
    thread_ts: str = ""


class Files:
    """The three steps of an upload; `shared` holds the files that took all of them."""

    def __init__(self) -> None:
        self.shared: list[SlackFile] = []
        self._known: dict[str, SlackFile] = {}

    def announce(self, body: Mapping[str, Any], base: str) -> Mapping[str, Any] | str:
        """Answer `files.getUploadURLExternal`, or return Slack's error."""
        name, length = str(body.get("filename", "")), str(body.get("length", ""))
        if not name or not length.isdecimal() or int(length) < 1:
            return "invalid_arguments: 'filename' and 'length' are needed"
        alt = str(body.get("alt_txt", ""))
        if len(alt) > 1_000:
            return "alt_txt_too_large"
        file = SlackFile(f"F{len(self._known):010}", name, int(length), alt)
        self._known[file.id] = file
        return {"ok": True, "file_id": file.id, "upload_url": f"{base}/upload/v1/{file.id}"}

    def take(self, path: str, content: bytes) -> Reply:
        """Take the content of a file at the address that was given for it."""
        file = self._known.get(path.rpartition("/")[2])
        if file is None:
            return Reply(404, "no such upload")
        if len(content) != file.length:
            return Reply(400, f"{len(content)} bytes, {file.length} were announced")
        file.content = content
        return Reply(200, f"OK - {len(content)}")

    def complete(
        self, body: Mapping[str, Any], channel: str, thread: str
    ) -> Mapping[str, Any] | str:
        """Answer `files.completeUploadExternal`, or return Slack's error."""
        try:
            named = json.loads(str(body.get("files", "")))
            found = [(self._known[each["id"]], str(each.get("title", ""))) for each in named]
        except (ValueError, TypeError, KeyError):
            return "file_not_found"
        if not found or not all(file.content for file, _ in found):
            return "file_not_found"
        for file, title in found:
            file.title, file.channel, file.thread_ts = title, channel, thread
            self.shared.append(file)
        return {"ok": True, "files": [{"id": file.id, "title": title} for file, title in found]}
