"""What looking at the machine found: a finding for each thing that was looked at, with its fix."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from pycomfy.errors import ErrorGroup, Fix, Fixes, PycomfyError, list_fixes
from pycomfy.services.results import FixText, Result

Group = Literal["pycomfy", "machine", "programs", "engine", "gpu", "network", "disk", "data"]
GROUPS: tuple[Group, ...] = get_args(Group)

State = Literal["ok", "note", "warning", "problem", "unknown", "skipped"]
"""`note`: something optional is missing, or is worth knowing. `warning`: something does not work, or will not for long.
`problem`: nothing can be built, run or restored before it is fixed. `unknown`: it could not be found out. `skipped`:
it was left out, as requested."""
STATES: tuple[State, ...] = get_args(State)

MAX_TEXT, MAX_DETAILS, MAX_ITEMS = 300, 3000, 100
"""Characters of one line and of several, and entries of a list."""
MAX_SHOWN = 5
"""Entries of a list that are written out for people."""

_ANSI = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)?)")


class Finding(BaseModel):
    """One thing that was looked at. `id` is stable; `subject` names it for people, and `what` says how it is, in one
    line; `details` may have several. `facts` are what was measured: sizes in bytes, times in seconds.

    What programs and servers say ends up here. All texts are bounded, however long that was, and without colours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    group: Group
    id: str
    subject: str
    state: State
    what: str
    details: str = ""
    fix: FixText = ()
    facts: Mapping[str, JsonValue] = {}

    @field_validator("subject", "what", mode="before")
    @classmethod
    def _line(cls, value: object) -> str:
        return clean(str(value), MAX_TEXT).replace("\n", " ")

    @field_validator("details", mode="before")
    @classmethod
    def _lines(cls, value: object) -> str:
        return clean(str(value), MAX_DETAILS)

    @field_validator("fix", mode="before")
    @classmethod
    def _fixes(cls, value: Fixes) -> tuple[str | Fix, ...]:
        return tuple(f if isinstance(f, Fix) else clean(f, MAX_TEXT) for f in list_fixes(value))

    @field_validator("facts", mode="before")
    @classmethod
    def _facts(cls, value: Mapping[str, object]) -> object:
        return _clean_value(value)

    @model_serializer(mode="wrap")
    def _dump(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        """Serialise it as an error is: its fixes in words, and as data."""
        fixes = [{"advice": f} if isinstance(f, str) else f.as_dict() for f in self.fix]
        return {**handler(self), "fixes": fixes}


@dataclass(frozen=True)
class Subject:
    """Something that is looked at. `id` is stable, and begins with the group's name or is it."""

    group: Group
    id: str
    name: str

    def finding(
        self, state: State, what: str, *, fix: Fixes = (), details: str = "", facts: Mapping[str, Any] | None = None
    ) -> Finding:
        """Return a finding about this subject."""
        return Finding(
            group=self.group,
            id=self.id,
            subject=self.name,
            state=state,
            what=what,
            details=details,
            fix=list_fixes(fix),
            facts=facts or {},
        )

    def ok(self, what: str, *, details: str = "", facts: Mapping[str, Any] | None = None) -> Finding:
        """Return that it is in order."""
        return self.finding("ok", what, details=details, facts=facts)

    def note(self, what: str, *, fix: Fixes = (), details: str = "", facts: Mapping[str, Any] | None = None) -> Finding:
        """Return something that is worth knowing of it."""
        return self.finding("note", what, fix=fix, details=details, facts=facts)

    def warning(
        self, what: str, *, fix: Fixes = (), details: str = "", facts: Mapping[str, Any] | None = None
    ) -> Finding:
        """Return something that does not work."""
        return self.finding("warning", what, fix=fix, details=details, facts=facts)

    def problem(
        self, what: str, *, fix: Fixes = (), details: str = "", facts: Mapping[str, Any] | None = None
    ) -> Finding:
        """Return something that keeps pycomfy from working."""
        return self.finding("problem", what, fix=fix, details=details, facts=facts)

    def unknown(self, error: Exception) -> Finding:
        """Return that it could not be found out, because of `error`."""
        if isinstance(error, ErrorGroup):
            rest = "\n".join(one.what for one in error.problems[1:])
            first = error.problems[0]
            return self.finding("unknown", first.what, fix=first.fixes, details=rest)
        if isinstance(error, PycomfyError):
            return self.finding("unknown", error.what, fix=error.fixes, details=error.evidence)
        what = f"it could not be looked at: {type(error).__name__}: {error}"
        return self.finding("unknown", what, facts={"error": type(error).__name__})


class DoctorResult(Result):
    """All findings, by group. `ok` if there is no problem; `counts` are how many findings have each state. `offline`:
    no request was sent."""

    ok: bool
    offline: bool
    counts: Mapping[State, int]
    findings: tuple[Finding, ...]


def make_result(findings: list[Finding], *, offline: bool) -> DoctorResult:
    """Return the result: its findings in the order of `GROUPS`, and within a group as they come.

    Of several with one id, such as those of two package indexes, the second is `id.2`, and so on."""
    ordered = _number_repeated(sorted(findings, key=lambda f: GROUPS.index(f.group)))
    counts: dict[State, int] = {state: sum(f.state == state for f in ordered) for state in STATES}
    return DoctorResult(ok=not counts["problem"], offline=offline, counts=counts, findings=tuple(ordered))


def _number_repeated(findings: list[Finding]) -> list[Finding]:
    seen: dict[str, int] = {}
    numbered = []
    for finding in findings:
        count = seen[finding.id] = seen.get(finding.id, 0) + 1
        numbered.append(finding if count == 1 else finding.model_copy(update={"id": f"{finding.id}.{count}"}))
    return numbered


def clean(text: str, limit: int) -> str:
    """Return the text without colours and tabs, and not longer than `limit`."""
    kept = _ANSI.sub("", text[: 4 * limit].replace("\r\n", "\n")).strip().expandtabs(4)
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def _clean_value(value: object) -> object:
    if isinstance(value, str):
        return clean(value, MAX_TEXT)
    if isinstance(value, Mapping):
        return {clean(str(k), MAX_TEXT): _clean_value(v) for k, v in list(value.items())[:MAX_ITEMS]}
    if isinstance(value, list | tuple):
        return [_clean_value(v) for v in value[:MAX_ITEMS]]
    return value
