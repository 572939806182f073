"""Write each image's Apptainer definition, OCI Containerfile, requirements and the lock from its source, image.yaml.

    python containers/definitions.py            write what differs
    python containers/definitions.py --check    only say whether anything would differ (exit code 1)

Needs an environment in which the package is installed (`make install`): the pinned requirements are the closure of its
dependencies there, in the versions of constraints.txt.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shlex
import sys
import tomllib
from functools import cache
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FAMILIES = ("core", "anatomy", "fsl", "lcmodel", "freesurfer")
PREFIX = "/opt/snakemrs"
# No step writes to the image or to the home of whoever runs it: caches go to /tmp.
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "NO_ET": "1",
    "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/tmp/snakemrs-matplotlib",
    "XDG_CACHE_HOME": "/tmp/snakemrs-cache",
    "NIPYPE_CONFIG_DIR": "/tmp/snakemrs-nipype",
}


def read_source(family: str) -> dict[str, Any]:
    """Read ``containers/{family}/image.yaml``."""
    source: dict[str, Any] = yaml.safe_load((HERE / family / "image.yaml").read_text(encoding="utf-8"))
    return source


@cache
def pins() -> dict[str, str]:
    """Versions of constraints.txt by normalised name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    return {canonicalize_name(name): pinned for name, _, pinned in (line.partition("==") for line in lines)}


def pinned(name: str) -> str:
    """Version of a package: of constraints.txt, or as installed where that does not name it (setuptools)."""
    return pins().get(canonicalize_name(name)) or version(name)


def closure(names: list[str]) -> set[str]:
    """Names of all packages that `names` (requirements) need, themselves included."""
    found: set[str] = set()
    seen: set[tuple[str, tuple[str, ...]]] = set()
    todo = [Requirement(name) for name in names]
    while todo:
        one = todo.pop()
        key = (canonicalize_name(one.name), tuple(sorted(one.extras)))
        if key in seen:
            continue
        seen.add(key)
        found.add(canonicalize_name(one.name))
        for text in requires(one.name) or []:
            need = Requirement(text)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *one.extras)):
                todo.append(need)
    return found


def packages(family: str) -> set[str]:
    """Python packages that an image holds, those of its base image included."""
    source = read_source(family)
    inherited = packages(source["base"]["family"]) if "family" in source["base"] else set()
    python = source.get("python", {})
    if "without" in python:
        left_out = {canonicalize_name(name) for name in python["without"]}
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        own: list[str] = project["dependencies"]
        return inherited | closure([t for t in own if canonicalize_name(Requirement(t).name) not in left_out])
    return inherited | closure(python.get("packages", []))


def requirements(family: str) -> str:
    """Pinned requirements that an image adds to its base; empty where it adds none."""
    source = read_source(family)
    below = packages(source["base"]["family"]) if "family" in source["base"] else set()
    return "".join(f"{name}=={pinned(name)}\n" for name in sorted(packages(family) - below))


def package_version() -> str:
    """Version of SnakeMRS in pyproject.toml."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit("pyproject.toml: no version")
    return found.group(1)


def is_optional(source: dict[str, Any]) -> bool:
    """Whether the user brings the program, and so its licence."""
    return "optional" in source


def environment(source: dict[str, Any]) -> dict[str, str]:
    """Environment of an image; PATH is extended apart."""
    return {**ENVIRONMENT, **source.get("environment", {})}


def search_path(source: dict[str, Any]) -> str:
    """Folders that come first on PATH."""
    return ":".join([*source.get("path", []), f"{PREFIX}/bin"])


def labels(family: str) -> dict[str, str]:
    """Labels of an image."""
    source = read_source(family)
    return {
        "org.opencontainers.image.title": source["title"],
        "org.opencontainers.image.description": source["summary"],
        "org.opencontainers.image.version": package_version(),
        "org.opencontainers.image.licenses": source["licence"],
        "snakemrs.family": family,
        "snakemrs.tools": " ".join(source["tools"]),
    }


def post(family: str) -> str:
    """Shell lines that install: the same for both kinds of image. Wheels lie in /opt/wheels, nothing is fetched."""
    source = read_source(family)
    if is_optional(source):
        return str(source["post"]).strip()
    make = [f"python3 -m venv {PREFIX}"] if "family" not in source["base"] else []
    install = f"{PREFIX}/bin/python -m pip install --no-index --no-deps --no-cache-dir --disable-pip-version-check -q"
    lines = [
        *make,
        f"{install} --find-links /opt/wheels -r /opt/requirements-{family}.txt",
        # The package itself comes with the core alone.
        *([f"{install} --find-links /opt/wheels snakemrs=={package_version()}"] if make else []),
        f"chmod -R a+rX {PREFIX}",
    ]
    return "\n".join(lines)


def guard(source: dict[str, Any], value: str) -> str:
    """Shell line that refuses to build until the licence is accepted."""
    what = source["optional"]["accept"]
    message = f"Building this image accepts {what}. Say: --build-arg ACCEPT_LICENCE=yes"
    return f'[ "{value}" = yes ] || {{ echo {shlex.quote(message)} >&2; exit 1; }}'


def apptainer_definition(family: str) -> str:
    """The Apptainer definition as text."""
    source = read_source(family)
    optional = is_optional(source)
    arguments = [f"    BASE={source['base']['local']}"]
    files = [f"    requirements-{family}.txt /opt/requirements-{family}.txt", "    wheels /opt/wheels"]
    steps = [*post(family).splitlines(), "rm -rf /opt/wheels"]
    if optional:
        arguments += [f"    ARCHIVE={source['optional']['archive']}", "    ACCEPT_LICENCE=no"]
        files = ["    {{ ARCHIVE }} /opt/archive"]
        steps = [guard(source, "{{ ACCEPT_LICENCE }}"), *post(family).splitlines(), "rm /opt/archive"]
    help_text = f"{source['title']} {package_version()}\n{source['summary']}\n\n{source['notes'].strip()}\n\n"
    help_text += (
        "Runs as any user, read-only, without network:\n"
        f"  apptainer run --containall --no-home --net --network none --bind DATA snakemrs-{family}.sif --help"
    )
    sections = {
        "arguments": arguments,
        "labels": [f"    {name} {value}" for name, value in labels(family).items()],
        "files": files,
        "post": [f"    {line}" for line in ["set -eu", "export HOME=/tmp", *steps]],
        "environment": [
            *(f"    export {name}={shlex.quote(value)}" for name, value in environment(source).items()),
            f'    export PATH="{search_path(source)}:$PATH"',
        ],
        "runscript": ['    exec snakemrs "$@"'],
        "test": [f"    {line}" for line in ["set -e", *source["test"].strip().splitlines()]],
        "help": [f"    {line}".rstrip() for line in help_text.splitlines()],
    }
    body = "\n\n".join(f"%{name}\n" + "\n".join(lines) for name, lines in sections.items())
    return f"{_origin(family)}Bootstrap: localimage\nFrom: {{{{ BASE }}}}\n\n{body}\n"


def containerfile(family: str) -> str:
    """The OCI Containerfile as text. Its context is that of the Apptainer build (`build.py context`)."""
    source = read_source(family)
    optional = is_optional(source)
    base = source["base"].get("image") or f"snakemrs-{source['base']['family']}:{package_version()}"
    lines = [
        "# The base by digest, as whoever builds has checked it: --build-arg BASE=NAME@sha256:…",
        f"ARG BASE={base}",
        "FROM ${BASE}",
        "LABEL " + " \\\n      ".join(f"{name}={_quoted(value)}" for name, value in labels(family).items()),
    ]
    if optional:
        lines += [f"ARG ARCHIVE={source['optional']['archive']}", "ARG ACCEPT_LICENCE=no", "USER 0:0"]
        mounts = "--mount=type=bind,source=${ARCHIVE},target=/opt/archive "
        steps = [guard(source, "${ACCEPT_LICENCE}"), *post(family).splitlines()]
    else:
        lines += ["USER 0:0", f"COPY requirements-{family}.txt /opt/requirements-{family}.txt"]
        mounts = "--mount=type=bind,source=wheels,target=/opt/wheels "
        steps = post(family).splitlines()
    lines += [
        f"RUN {mounts}\\\n    " + " && \\\n    ".join(["set -eu", *steps]),
        "ENV " + " \\\n    ".join(f"{name}={_quoted(value)}" for name, value in environment(source).items()),
        f'ENV PATH="{search_path(source)}:$PATH"',
        "# Any user will do (--user); nothing is written to the image (--read-only --tmpfs /tmp).",
        "USER 65534:65534",
        "RUN " + " && \\\n    ".join(source["test"].strip().splitlines()),
        'ENTRYPOINT ["snakemrs"]',
        'CMD ["--help"]',
    ]
    return _origin(family) + "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _origin(family: str) -> str:
    return f"# Written by containers/definitions.py from containers/{family}/image.yaml; change that.\n"


def tool_versions(source: dict[str, Any]) -> dict[str, str]:
    """Tools of an image with their versions; what the user brings has none here."""
    if is_optional(source):
        return dict.fromkeys(source["tools"], "the user's own")
    return {name: package_version() if name == "snakemrs" else pinned(name) for name in source["tools"]}


def files() -> dict[Path, str]:
    """Every generated file with its content."""
    generated: dict[Path, str] = {}
    images: dict[str, Any] = {}
    for family in FAMILIES:
        source = read_source(family)
        own = {
            HERE / family / f"{family}.def": apptainer_definition(family),
            HERE / family / "Containerfile": containerfile(family),
        }
        if not is_optional(source):
            own[HERE / family / f"requirements-{family}.txt"] = requirements(family)
        generated.update(own)
        content = "\0".join(own.values())
        images[family] = {
            "name": f"snakemrs-{family}",
            "version": package_version(),
            "definition": "sha256:" + hashlib.sha256(content.encode()).hexdigest(),
            "digest": None,
            "base": source["base"].get("image") or source["base"]["family"],
            "optional": is_optional(source),
            "licence": source["licence"],
            "tools": tool_versions(source),
        }
    for family, digest in _published().items():
        if family in images:
            images[family]["digest"] = digest
    generated[HERE / "images.lock.yaml"] = LOCK_HEAD + yaml.safe_dump(
        {"images": images}, sort_keys=False, allow_unicode=True, width=120
    )
    return generated


LOCK_HEAD = """\
# The images that the rules name. Written by containers/definitions.py; do not edit but for `digest`.
# definition: hash of all that the image is built from, known before anything is built.
# digest: sha256 of a released image file; null until one is released. The digest of an image that was built locally
#   stands beside it (images.built.json in the folder of images) and is part of its file's name, so that Snakemake sees
#   another image as another software environment.
"""


def _published() -> dict[str, str | None]:
    """Digests that stand in the lock already: a release writes them there."""
    path = HERE / "images.lock.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {"images": {}}
    return {family: entry.get("digest") for family, entry in content["images"].items()}


def main() -> int:
    """Write, or check, the generated files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 where a file would differ")
    check = parser.parse_args().check
    stale = [path for path, text in files().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(files()[path], encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
