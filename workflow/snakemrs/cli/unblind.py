"""`snakemrs unblind`: freeze the masked result, then open the key. The last step of a blinded trial."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from snakemrs.errors import RequestError


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--freeze", "freezing", is_flag=True, help="Freeze the masked result: all analyses are final.")
@click.option("--key", type=click.Path(path_type=Path), help="TSV, kept outside the study: condition, treatment.")
@click.option("--despite-changes", is_flag=True, help="Open the key though something changed after freezing (logged).")
def unblind(study: Path, freezing: bool, key: Path | None, despite_changes: bool) -> None:
    """Freeze the masked result of STUDY, and open the treatment key on a frozen one.

    \b
    Example:
        snakemrs unblind STUDY --freeze              all analyses are final
        snakemrs unblind STUDY --key ../KEY.tsv      afterwards, once
        snakemrs unblind STUDY                       has anything changed since?

    The freeze is a hash over results, configuration, tables, code and images; results that are not those of the present
    study.yaml and tables are not frozen. The key works only on a frozen result in which nothing changed, and a second
    key that says otherwise is refused. Every step, refusals too, is written to logs/unblinding.tsv. Opening the key
    changes no number: the masked results stay, and copies with the treatments' names are written to group/unblinded/.
    """
    from snakemrs.group import freezing as ice

    if not (study / "study.yaml").exists():
        raise RequestError("there is no study here", file=study, expected="a folder with study.yaml")
    time = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        _unblind(study, freezing, key, despite_changes, time)
    except RequestError as error:
        # What was found in the key itself stays out of the study: its log is read while the study is blind.
        detail = error.message + (f" (found: {error.found})" if error.found and error.file != str(key) else "")
        what = f"key {ice.hash_of_key(key)[:12]}: " if key is not None and key.is_file() else ""
        ice.log(study, time, "refused", ice.recorded_hash(study), what + detail)
        raise


def _unblind(study: Path, freezing: bool, key: Path | None, despite_changes: bool, time: str) -> None:
    """Freeze, check or open; what is refused is logged by the caller."""
    from snakemrs.group import freezing as ice

    if freezing and key is not None:
        raise RequestError(
            "freeze first, open the key in a second step", remedy="`snakemrs unblind STUDY --freeze`, then with --key"
        )
    if freezing:
        content = ice.freeze(study, time)
        click.echo(f"Frozen: {content['hash']}\n{len(content['results'])} results of version {content['version']}")
        return
    frozen = ice.frozen_of(study)
    changed = ice.changes(frozen, ice.state_of(study, frozen))
    if key is None:
        ice.log(study, time, "check", frozen["hash"], "; ".join(changed) or "nothing changed")
        click.echo(f"Frozen {frozen['time']}: {frozen['hash']}")
        click.echo("\n".join(["Changed since:", *changed]) if changed else "Nothing has changed since.")
        raise SystemExit(1 if changed else 0)
    meaning = ice.read_key(key, study)
    ice.check_same_key(study, meaning)
    if changed and not despite_changes:
        raise RequestError(
            "something changed after the result was frozen: the key stays closed",
            file=study / ice.FROZEN,
            found="; ".join(changed[:8]) + (f"; and {len(changed) - 8} more" if len(changed) > 8 else ""),
            expected="the frozen result",
            remedy="run what is out of date, `--freeze` again (both freezes stay in the log), or --despite-changes",
        )
    written = ice.open_key(study, meaning, ice.hash_of_key(key), frozen, time, changed)
    detail = ", ".join(f"{code} = {treatment}" for code, treatment in meaning.items())
    if changed:
        detail += f"; DESPITE CHANGES: {'; '.join(changed)}"
    ice.log(study, time, "unblind", frozen["hash"], detail)
    click.echo(f"Opened on the result frozen {frozen['time']} ({frozen['hash'][:12]})")
    for code, treatment in meaning.items():
        click.echo(f"  {code} = {treatment}")
    click.echo("\n".join(["CHANGED after freezing:", *changed]) if changed else "Nothing had changed since.")
    click.echo(f"{len(written)} tables with the treatments' names: {study / ice.UNBLINDED}")
