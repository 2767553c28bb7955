"""Save what a job made: what its nodes named, and what else is in its folder, wherever and however it ended."""

import mimetypes
import time
from dataclasses import dataclass, field
from pathlib import Path

from pycomfy import operation
from pycomfy.adapters.containers.job_folder import KEPT_DAYS, JobFolder
from pycomfy.adapters.containers.job_outputs import MAX_HOLES, NotAnOutput, SavedFile, find_files, save_result
from pycomfy.adapters.containers.job_protocol import MAX_OUTPUTS, UNKNOWN, JobReport, Output
from pycomfy.errors import NoSpace, PycomfyError, RunFailed

MAX_REPORTED = 20
"""Outputs that are named in remarks, of each kind."""

QUIET = 2.0
"""Seconds that a file must not have changed before a job died: else it may have been in the middle of being written."""


@dataclass(frozen=True)
class OutputFile:
    """A file that was saved; `node` and `title` are None for one that no node named. `size` is in bytes. `complete` is
    False for one that may have been in the middle of being written when the job was ended."""

    node: str | None
    title: str | None
    kind: str
    path: Path
    media_type: str
    sha256: str
    size: int
    complete: bool = True


@dataclass
class SavedOutputs:
    """The files that were saved, and at most one error that says where the others are."""

    files: tuple[OutputFile, ...] = ()
    problems: list[PycomfyError] = field(default_factory=list)

    def report(self) -> None:
        """Report where the files and the others are, for a job that did not end well."""
        for file in self.files[:MAX_REPORTED]:
            operation.report(f"note: saved {file.path}")
        if (more := len(self.files) - MAX_REPORTED) > 0:
            operation.report(f"note: saved {more} more files beside them")
        for problem in self.problems:
            operation.report(f"warning: {problem.what}: {problem.where}", problem.fixes)


@dataclass
class _Saving:
    report: JobReport
    job: JobFolder
    folder: Path
    quiet_since: float
    files: list[OutputFile] = field(default_factory=list)
    saved: dict[str, SavedFile] = field(default_factory=dict)
    failed: dict[str, PycomfyError] = field(default_factory=dict)
    max_holes: int = MAX_HOLES

    def save(self, output: Output, path: str) -> None:
        """Save one file, and what is said of it. A file that several nodes name is saved once."""
        if path in self.failed:
            return
        named = output.node is not None
        if not named and path in self.saved:
            return
        complete = self._is_complete(path, named=named)
        file = self.saved.get(path)
        if file is None:
            try:
                file = save_result(self.job.path, path, self.folder, _name(output), max_holes=self.max_holes)
                self.max_holes = max(0, self.max_holes - file.holes)
            except NotAnOutput as e:
                self.report.ignore(f"{e.what}: {e.where}")
                return
            except (PycomfyError, OSError) as e:
                self.failed[path] = e if isinstance(e, PycomfyError) else RunFailed(str(e))
                return
            self.saved[path] = file
        if output.sha256 not in (None, file.sha256):
            operation.report(f"warning: {file.path} changed after its node named it")
        self.files.append(
            OutputFile(
                output.node, output.title, output.kind, file.path, output.media_type, file.sha256, file.size, complete
            )
        )

    def _is_complete(self, path: str, *, named: bool) -> bool:
        if path in self.report.unfinished:
            return False
        if named or not self.report.ended_early:
            return True
        try:
            return (self.job.path / path).lstat().st_mtime < self.quiet_since
        except OSError:
            return True


def save_outputs(report: JobReport, job: JobFolder, folder: Path) -> SavedOutputs:
    """Save the files that nodes named, and then the others that are in the job's output folder, in `folder`. Raises
    nothing for a file that cannot be saved: the others are, and it is kept.

    A file is complete if its node was done, or the job ended by itself, or if it was not open for writing and had not
    changed for two seconds when the job was ended. One that may not be is saved too, and reported.
    """
    saving = _Saving(report, job, folder, (report.failed_at or time.time()) - QUIET)
    gone = []
    for output in report.outputs:
        if output.path is None:
            gone.append(output)
        else:
            saving.save(output, output.path)
    found = 0
    for path in find_files(job.path, limit=MAX_OUTPUTS + 1):
        found += 1
        if path not in saving.saved:
            saving.save(_unnamed(path), path)
    for output in gone[:MAX_REPORTED]:
        operation.report(f"warning: node {output.node} named an output that does not exist: {output.file}")
    if len(gone) > MAX_REPORTED:
        operation.report(f"warning: {len(gone) - MAX_REPORTED} more outputs that were named do not exist")
    for file in [file for file in saving.files if not file.complete][:MAX_REPORTED]:
        operation.report(
            f"warning: {file.path} may be incomplete: it was being written, or had just changed, when the job was ended"
        )
    if report.ignored:
        lines = "line" if report.ignored == 1 else "lines"
        operation.report(
            f"warning: {report.ignored} {lines} of the container's events not taken ({report.ignored_because})"
        )
    return SavedOutputs(tuple(saving.files), _explain_unsaved(saving, job, too_many=found > MAX_OUTPUTS))


def _explain_unsaved(saving: _Saving, job: JobFolder, *, too_many: bool) -> list[PycomfyError]:
    """Keep what could not be saved, and return the error that says where it is; nothing if all was saved."""
    if not saving.failed and not too_many:
        return []
    kept = job.keep()
    first = next(iter(saving.failed.values()), None)
    what = f"more than {MAX_OUTPUTS} outputs"
    if first is not None:
        what = f"{_count(saving.failed)} not be saved: {first.what}"
    kind = NoSpace if isinstance(first, NoSpace) else RunFailed
    where = f"all of them are in {kept}, for {KEPT_DAYS} days"
    fix = (f"copy them from {kept}", *(first.fixes if first is not None else ()))
    return [kind(what, where=where, fix=fix)]


def _count(failed: dict[str, PycomfyError]) -> str:
    return "1 output could" if len(failed) == 1 else f"{len(failed)} outputs could"


def _unnamed(path: str) -> Output:
    """What is known of a file that no event named: its folder says whether the runtime kept it for a node."""
    top, _, rest = path.partition("/")
    folder, _, file = rest.rpartition("/")
    kept = top == "results"
    return Output.model_construct(
        event="output",
        node=folder if kept else None,
        kind="files",
        file=file,
        subfolder="" if kept else folder,
        type="result" if kept else "output",
        path=path,
        media_type=mimetypes.MimeTypes().guess_type(file, strict=False)[0] or UNKNOWN,
    )


def _name(output: Output) -> str:
    """ComfyUI's own name for what a node saved; for a temporary file also the node, as its name says nothing."""
    if output.type == "output":
        return f"{output.subfolder}/{output.file}"
    return f"{(output.title or output.node or output.type).replace('/', '_')}-{output.file.replace('/', '_')}"
