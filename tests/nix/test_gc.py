"""`gc` frees what it says, and nothing that a version is restored from."""

import contextlib
import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pycomfy.adapters.containers.image_store import unlink_image
from pycomfy.adapters.containers.layout import read_layout
from pycomfy.adapters.containers.load import image_tag, provide
from pycomfy.adapters.nix.store import add_gc_root, is_valid, valid_paths
from pycomfy.core.nix.lock_outputs import list_requisites
from pycomfy.errors import MissingTool, NotFound
from pycomfy.services.archive.archived_sources import copy_from_archive
from pycomfy.services.archive.restore_image import RestoredImage, restore_image
from pycomfy.services.disk.collect import GcRequest, GcResult, plan_gc
from pycomfy.services.disk.usage import measure_disk
from pycomfy.services.project import host_platform
from pycomfy.services.studio.uploads import keep_upload
from pycomfy.services.versions.indexing import index, layout_link
from tests.support.archived_versions import ArchivedVersions
from tests.support.nix_stores import StoreTemplate


@dataclass(frozen=True)
class Restored:
    """Both versions in a data folder, and the store that they were restored into."""

    lost: ArchivedVersions
    store: StoreTemplate

    @contextlib.contextmanager
    def copied(self, folder: Path) -> Iterator[ArchivedVersions]:
        """The same in `folder`, to do with as one likes."""
        with self.store.copied(folder / "stores") as store:
            assert store.store is not None
            copy = self.lost.copied(folder, store)
            # The copied roots of the garbage collector are links in the data folder that was copied.
            shutil.rmtree(store.store / "nix/var/nix/gcroots/auto")
            (store.store / "nix/var/nix/gcroots/auto").mkdir()
            for version in copy.versions:
                link = layout_link(copy.workspace, version.image.manifest_digest)
                path = str(link.readlink())
                link.unlink()
                add_gc_root(store, path, link)
            yield copy


@pytest.fixture(scope="module")
def restored_once(
    archived_versions: ArchivedVersions, _root_template: StoreTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Restored]:
    folder = tmp_path_factory.mktemp("restored")
    with _root_template.copied(folder / "stores") as nix:
        assert nix.store is not None
        lost = archived_versions.copied(folder, nix)
        for label in ("small@1", "small@2"):
            restored(lost, label)
        yield Restored(lost, StoreTemplate(nix.store))


@pytest.fixture
def both(restored_once: Restored, tmp_path: Path) -> Iterator[ArchivedVersions]:
    """Both versions, restored into a store of their own."""
    with restored_once.copied(tmp_path) as copy:
        yield copy


def restored(lost: ArchivedVersions, label: str) -> RestoredImage:
    image = restore_image(lost.workspace, lost.request(label))
    assert image.same
    return image


def free(lost: ArchivedVersions, request: GcRequest) -> GcResult:
    """What was freed, which is what was said before."""
    plan = plan_gc(lost.workspace, request)
    said = plan.describe()
    assert said.dry_run and plan_gc(lost.workspace, request).describe() == said, "saying it changes nothing"
    done = plan.apply()
    assert done.model_copy(update={"dry_run": True}) == said
    assert plan_gc(lost.workspace, request).describe().items == ()
    return done


def kinds(result: GcResult) -> list[str]:
    return [item.kind for item in result.items]


def layers_of(lost: ArchivedVersions, number: int) -> list[str]:
    image = lost.versions[number].image
    return [str(image.layer(digest)) for digest in image.layers]


def test_a_restored_version_has_no_file_twice(both: ArchivedVersions) -> None:
    needed = [r for v in both.versions for r in list_requisites(v.lock, {host_platform()})]
    files = [r.path for r in needed if not r.output.recursive]
    assert files and not valid_paths(both.nix, files)


def test_sources_that_the_archive_has_go_and_the_versions_are_restored_all_the_same(both: ArchivedVersions) -> None:
    needed = {r.path: r for v in both.versions for r in list_requisites(v.lock, {host_platform()})}
    copy_from_archive(both.workspace, needed.values())
    done = free(both, GcRequest())
    assert kinds(done) == ["sources"] and done.size > 0
    archived = [path for path, r in needed.items() if both.workspace.archive.has(r.output) and r.role != "debian"]
    assert archived and not valid_paths(both.nix, archived)
    free(both, GcRequest(keep=0))
    assert restored(both, "small@1").layers_built > 0


def test_layers_of_older_versions_go_where_that_is_wished_and_come_back(both: ArchivedVersions) -> None:
    one, two = set(layers_of(both, 0)), set(layers_of(both, 1))
    free(both, GcRequest())
    assert valid_paths(both.nix, sorted(one | two)) == sorted(one | two), "not by themselves"
    done = free(both, GcRequest(keep=1))
    assert "layers" in kinds(done)
    assert not valid_paths(both.nix, sorted(one - two)) and valid_paths(both.nix, sorted(two)) == sorted(two)
    assert restored(both, "small@1").layers_built == len(one - two)


def test_layers_go_by_the_age_of_their_version(both: ArchivedVersions) -> None:
    assert "layers" not in kinds(plan_gc(both.workspace, GcRequest(older_than=100_000)).describe())
    assert "layers" in kinds(plan_gc(both.workspace, GcRequest(older_than=0)).describe())
    assert "layers" in kinds(plan_gc(both.workspace, GcRequest(older_than=0, keep=1)).describe())
    assert "layers" not in kinds(plan_gc(both.workspace, GcRequest(older_than=0, keep=2)).describe())


def test_layers_stay_whose_sources_are_not_all_in_the_archive(both: ArchivedVersions) -> None:
    free(both, GcRequest())
    greeter = next(r for r in list_requisites(both.versions[0].lock) if r.role == "pack")
    info = both.workspace.archive.find(greeter.output)
    assert info is not None
    (both.workspace.archive.folder / info.file_name).unlink()
    done = plan_gc(both.workspace, GcRequest(keep=0))
    assert done.kept == ("small@1",)
    done.apply()
    assert valid_paths(both.nix, layers_of(both, 0)) == layers_of(both, 0)


def test_without_any_version_nothing_goes(both: ArchivedVersions) -> None:
    """It is more likely that the versions are elsewhere."""
    both.workspace.versions.remove("small", force=True)
    index(both.workspace, forget=["small"])
    with pytest.raises(NotFound, match="there are no versions"):
        plan_gc(both.workspace, GcRequest())
    assert is_valid(both.nix, layers_of(both, 0)[0])


def test_the_layers_of_a_version_that_is_gone_go(both: ArchivedVersions) -> None:
    free(both, GcRequest())
    link = layout_link(both.workspace, both.versions[0].image.manifest_digest)
    link.unlink()
    done = free(both, GcRequest())
    assert kinds(done) == ["layers"] and not valid_paths(both.nix, [str(both.versions[0].image.layout)])


@pytest.mark.skipif(os.geteuid() != 0, reason="the image's user is another one's without root")
def test_what_a_container_uses_stays(both: ArchivedVersions) -> None:
    try:
        engine = both.workspace.engine
    except MissingTool as e:
        pytest.skip(e.what)
    if not engine.links_images:
        pytest.skip("no Podman here")
    image = read_layout(both.nix.local_path(str(both.versions[0].image.layout)))
    startable = provide(engine, image, "gc-test")
    words = ("run", "--detach", "--rm", "--network=none", "--read-only", "--entrypoint=/usr/bin/sleep", startable.id)
    limits = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")
    command = engine.command(words[0], *limits, *words[1:], "600", store=startable.store)
    started = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        free(both, GcRequest(keep=0))
        layers = layers_of(both, 0)
        assert valid_paths(both.nix, layers) == layers
        assert not set(layers_of(both, 1)) - set(layers) & set(valid_paths(both.nix, layers_of(both, 1)))
        # Not even when its version is gone.
        layout_link(both.workspace, both.versions[0].image.manifest_digest).unlink()
        free(both, GcRequest(keep=0))
        assert valid_paths(both.nix, layers) == layers
    finally:
        subprocess.run(engine.command("rm", "--force", "--time=0", started), check=True, capture_output=True)
        unlink_image(image, image_tag("gc-test"))
    free(both, GcRequest())
    assert not is_valid(both.nix, str(both.versions[0].image.layout)) and len(valid_paths(both.nix, layers)) == 2


def test_disk_says_what_gc_frees(both: ArchivedVersions) -> None:
    needed = {r.path: r for v in both.versions for r in list_requisites(v.lock, {host_platform()})}
    copy_from_archive(both.workspace, needed.values())
    usage = measure_disk(both.workspace)
    sizes = {(use.use, use.title): use.size for use in usage.uses}
    assert (
        sizes["store-sources", "sources that the archive has, too"]
        == plan_gc(both.workspace, GcRequest()).describe().size
    )
    assert usage.size == sum(use.size or 0 for use in usage.uses)
    (small,) = usage.workflows
    assert (small.name, small.images) == ("small", 2) and small.own == small.size > 0


def test_files_that_were_given_to_runs_go_once_no_run_has_them(both: ArchivedVersions) -> None:
    path = keep_upload(both.workspace, io.BytesIO(b"cat"), "cat.png").path
    os.utime(path.parent, (0, 0))
    assert "files given to runs in the studio" in [use.title for use in measure_disk(both.workspace).uses]
    done = free(both, GcRequest())
    assert "uploads" in kinds(done) and not path.parent.exists()
