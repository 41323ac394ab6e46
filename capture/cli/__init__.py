"""The command `capture`. Each command reads its arguments, calls an action, and prints for a person or, with --json, for a program.

Exit codes: 0 done; 1 could not be done, and the reason was said; 2 used wrongly; 3 a photo, bundle or key was refused; 4 the
settings, keys or database are not ready.
"""

import click

from capture.cli import audit, collecting, deliveries, files, keeping, opening, practices, proving, service, systems

_EPILOG = "Exit codes: 0 done, 1 not done, 2 used wrongly, 3 photo, bundle or key refused, 4 settings, keys or database not ready."

practices.practice.add_command(proving.prove)
practices.practice.add_command(systems.token)
practices.practice.add_command(systems.webhook)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=_EPILOG)
@click.version_option(package_name="capture")
def main() -> None:
    """Ask patients for photos of their skin and bring them, sealed, to their GP practice."""


for command in (
    service.serve,
    service.demo,
    service.worker,
    service.request,
    practices.practice,
    practices.member,
    audit.audit,
    service.check,
    deliveries.deliveries,
    keeping.scrub,
    keeping.backup,
    keeping.restore,
    opening.open_bundle,
    collecting.collect,
    proving.answer_test,
    files.clean,
    files.keygen,
):
    main.add_command(command)
