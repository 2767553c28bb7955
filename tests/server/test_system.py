"""The machine over HTTP."""

from pathlib import Path

from pycomfy.services.workspace import Workspace
from tests.support.studio import BEARER, studio


def test_the_machine_and_its_disk_are_looked_at_as_by_the_command_line(tmp_path: Path) -> None:
    with studio(Workspace.open(tmp_path), headers=BEARER) as client:
        found = client.get("/api/system/doctor", params={"offline": True}).json()
        assert found["offline"] and {one["state"] for one in found["findings"]} >= {"ok", "skipped"}
        assert all(isinstance(one["fixes"], list) for one in found["findings"])
        disk = client.get("/api/system/disk").json()
        assert disk["size"] >= 0 and all(one["title"] for one in disk["uses"])
        assert not (tmp_path / "workflows").exists()
    with studio(Workspace.open(tmp_path)) as stranger:
        assert stranger.get("/api/system/doctor").status_code == 401
