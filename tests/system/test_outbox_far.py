"""Workers that are killed while they speak to S3 or MESH: nothing is lost and nothing doubled."""

from pathlib import Path
from typing import Any

from capture.mailbox import Mailbox
from tests.mesh.conftest import mesh, practices, sandbox  # noqa: F401 - these tests have them too
from tests.mesh.server import OURS, PRACTICE, WORKFLOW, MeshServer
from tests.mesh.test_following import arrived
from tests.s3_server import S3Server
from tests.system.outbox import FAR_KILLS, in_order, run


def run_far(var: Path, words: str) -> dict[str, Any]:
    """The same with one inbox besides the pages, of these words."""
    file = var.with_name("inboxes.toml")
    file.write_text(f'[inboxes.far]\ntitle = "far away"\n{words}\n')
    found = run("far", var, str(file))
    assert (found["kills"], found["chains"]) == (FAR_KILLS, True)
    assert set(found["points"]) >= {"before endheaders", "after endheaders", "before getresponse", "after getresponse", "begin"}
    return found


def test_kills_on_the_way_to_s3(var: Path, s3: S3Server) -> None:
    """The table of faults: workers killed at each step of what they say to S3: each bundle is one object."""
    bucket = s3.make_bucket()
    words = f'kind = "s3"\nbucket = "{bucket}"\nendpoint = "{s3.url}"\naccess_key = "{s3.access_key}"'
    found = run_far(var, f'{words}\nsecret_file = "{s3.secret_file}"')
    assert (found["deliveries"], found["arrived"], found["once"]) == ({"delivered": 60}, 60, True)
    client = s3.client()
    there = [row["Key"].rpartition("-")[2] for row in client.list_objects_v2(Bucket=bucket)["Contents"]]
    client.close()
    assert sorted(there) == sorted(f"{one}.zip" for one in found["ids"])


def test_kills_on_the_way_to_mesh(var: Path, mesh: MeshServer, practices: Mailbox) -> None:  # noqa: F811
    """The table of faults: workers killed at each step of what they say to MESH: each bundle is one message, in order."""
    words = f'kind = "mesh"\nurl = "{mesh.url}"\nmailbox = "{OURS}"\nworkflow = "{WORKFLOW}"\nrecipient = "{PRACTICE}"'
    found = run_far(var, f'{words}\npassword_file = "{mesh.folder}/password"\nshared_key_file = "{mesh.folder}/shared-key"')
    assert found["deliveries"] == {"under way": 60}
    there = arrived(practices)
    assert sorted(there) == sorted(found["ids"])
    assert in_order(found["ids"], there)
