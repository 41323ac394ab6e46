"""SECURITY 42, kill -9: a backup or a restore that dies anywhere leaves what was there, and works when it is run again."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from capture.actions.attach import attach
from capture.actions.collect import collect
from capture.actions.note_heads import find_breaks
from capture.actions.restore import check_backup, restore
from capture.actions.scrub import scrub_all
from capture.services import Services
from capture.settings import ROOT
from tests.builders import ARequest, agree_patient, make_submitted, take_photo
from tests.store.keeping import Place, state_of

DIES = """
import os, sys
from pathlib import Path
from capture.actions.back_up import back_up
from capture.actions.restore import restore
from capture.app import make_services
from capture.settings import load_settings
from tests.store.dying import die_at

def run(restoring, module, name, call):
    die_at("capture." + module, name, int(call))
    services = make_services(load_settings(), restoring=restoring)
    if restoring:
        restore(services, Path(sys.argv[2]), None, without_journal=False)
    else:
        back_up(services, Path(sys.argv[2]), 2)

for line in sys.stdin:
    child = os.fork()
    if not child:
        run(sys.argv[1] == "restore", *line.split())
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@contextmanager
def dying(services: Services, what: str, folder: Path) -> Iterator[Callable[[str], None]]:
    """Runs backups, or restores, in processes of their own that are killed as they come to a call of a function."""
    settings = services.settings
    given = {
        "VAR": settings.var,
        "DATABASE": settings.database,
        "JOURNAL": settings.journal_file,
        "AUDIT_HEADS": settings.heads_file,
    }
    environment = {**os.environ, **{f"CAPTURE_{key}": str(value) for key, value in given.items()}}
    command = [sys.executable, "-c", DIES, what, str(folder)]
    with subprocess.Popen(command, env=environment, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin
        assert parent.stdout

        def kill_at(point: str) -> None:
            print(point, file=parent.stdin, flush=True)
            assert parent.stdout
            assert int(parent.stdout.readline()) == -signal.SIGKILL, point

        yield kill_at
        parent.stdin.close()


def test_a_backup_that_is_killed(place: Place, asked: ARequest) -> None:
    """Faults, kill -9: whatever a backup dies in, the newest snapshot is whole, and the next backup goes on."""
    services = place.services
    agree_patient(services, asked)
    take_photo(services, asked, "context")
    place.back_up()
    with dying(services, "backup", place.backups) as kill_at:
        for point in ("store.dumps dump 9", "store.blobs:FolderBlobs put 1", "store.backups:Backups finish 1"):
            take_photo(services, asked, "context")
            take_photo(services, asked, "close-up")
            kill_at(point)
            assert check_backup(services, place.backups, None).snapshot == 1
        kill_at("store.backups sync_folder 4")  # renamed, and not synced yet
        assert check_backup(services, place.backups, None).snapshot == 2
        kill_at("store.blobs:FolderBlobs delete 1")
    done = place.back_up(keep=1)
    assert (done.parts, check_backup(services, place.backups, None).parts) == (2, 2)
    assert len(list((place.backups / "blobs").rglob("*"))) == 3
    assert len(list((place.backups / "snapshots").iterdir())) == 1


def test_a_restore_that_is_killed(place: Place, asked: ARequest) -> None:
    """Faults, kill -9: whatever a restore dies in, the database is still empty, and the restore works when it is run again."""
    services = place.services
    make_submitted(services, asked, views=("context", "close-up"))
    place.back_up()
    target = place.empty()
    with dying(target, "restore", place.backups) as kill_at:
        kill_at("store.dumps upgrade 2")
        kill_at("store.restoring apply_endings 1")
        kill_at("store.blobs:FolderBlobs put 2")
        kill_at("store.audit_heads note_restored 1")
        kill_at("store.journal:Journal note 1")
    done = restore(target, place.backups, None, without_journal=False)
    assert (done.parts, state_of(target, asked), scrub_all(target).damaged) == (2, "delivered", {})
    assert find_breaks(target) == []
    collect(target, asked.practice.id, _bundle(target), actor="a")
    attach(target, asked.practice.id, _bundle(target), actor="a")
    target.database.close()


def _bundle(services: Services) -> str:
    with services.database.read() as db:
        return str(db.execute(text("SELECT id FROM bundles")).scalar_one())
