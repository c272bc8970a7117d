"""`doctor`: what is wrong, and the way out."""

import click

from console.cli.commands import ConsoleCommand
from console.cli.invocation import Invocation, pass_invocation
from console.cli.output import clean, emit, flush, paint, say
from console.domain.diagnosis import Finding, Level

_FIELDS = ("check", "level", "says", "way_out")
_STYLES = {Level.OK: "ok", Level.WARNING: "warning", Level.PROBLEM: "error"}


@click.command(cls=ConsoleCommand, json_fields=_FIELDS, examples=("doctor", "doctor --full", "doctor --json"))
@click.option("--full", is_flag=True, help="Look at every index and reference, and count everything again.")
@pass_invocation
def doctor(invocation: Invocation, full: bool) -> int:
    """Look at the store, its engine and this machine, and say what is wrong and what helps.

    Nothing is changed. An engine goes on delivering meanwhile; the whole file is read. The exit code is 1 when there
    is a problem; a warning alone is 0.
    """
    from console.operations.diagnosis import examine

    invocation.give_way()
    worst = Level.OK
    key = bool(invocation.keys)
    with invocation.reading() as store:
        for finding in examine(store, full=full, key=key, now_ms=invocation.clock.now_ms()):
            if worst is not Level.PROBLEM and finding.level is not Level.OK:
                worst = finding.level
            if invocation.json:
                emit({name: getattr(finding, name) for name in _FIELDS})
            else:
                _print(finding)
            flush()
    return 1 if worst is Level.PROBLEM else 0


def _print(finding: Finding) -> None:
    level = paint(finding.level.ljust(7), _STYLES[finding.level])
    say(f"{level}  {finding.check.ljust(9)}  {clean(finding.says)}")
    if finding.way_out:
        say(f"{'':<7}  {'':<9}  {paint('→', 'muted')} {clean(finding.way_out)}")
