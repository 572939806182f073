"""Build the images with Apptainer: base, wheels, then each image by an ordinary user, offline.

    python containers/build.py                         core and anatomy, where they are not up to date
    python containers/build.py --base NAME@sha256:…    on a base by digest (anything that `apptainer build` takes)
    python containers/build.py fsl --archive fsl.tar.gz --accept-licence

Without --base the base is made by debootstrap (as root) from the mirror that apt uses on this machine. Wheels are
collected beforehand by pip, as it is set up here; inside the image nothing is fetched. The images and a record with
their digests (images.built.json) go to $SNAKEMRS_IMAGES, or build/images. As root, the images are built by the ordinary
user `snakemrs-build` (made where there is none): %post then runs in that user's namespace.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import definitions

from snakemrs.study.images import BUILT, built_images, code_digest, images_folder, lock

USER = "snakemrs-build"
SUITE = "bookworm"
PYTHON = (3, 11)  # what the base has: wheels are collected for it


def say(text: str) -> None:
    """One line of progress, with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def run(command: Sequence[str | Path], **options: Any) -> None:
    """Run a program; its output only where it fails."""
    result = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        **options,
    )
    if result.returncode != 0:
        print(result.stdout[-8000:], file=sys.stderr)
        raise SystemExit(f"build: {Path(str(command[0])).name} failed with exit code {result.returncode}")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def apt_mirror() -> str:
    """The Debian mirror that apt uses on this machine."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)"], capture_output=True, text=True, check=True
    )
    for line in listed.stdout.splitlines():
        uri, _, release = line.partition(" ")
        if release == SUITE:
            return uri
    raise SystemExit(f"build: apt has no source of {SUITE} here; name a base image by --base")


def make_base(target: Path, source: str | None) -> None:
    """Make the base image: from `source`, or a minimal Debian with Python by debootstrap."""
    if source is not None:
        is_path = Path(source).exists() or "://" in source
        run(["apptainer", "build", "--force", target, source if is_path else f"docker://{source}"])
        return
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise SystemExit("build: a base by debootstrap needs root and debootstrap; else name one by --base")
    with tempfile.TemporaryDirectory(prefix="snakemrs-base-") as folder:
        root = Path(folder) / "root"
        # Nothing of it need survive a power cut, so dpkg need not wait for the disk.
        (root / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True)
        unsafe = root / "etc/dpkg/dpkg.cfg.d/unsafe-io"
        unsafe.write_text("force-unsafe-io\n")
        include = "python3,python3-venv,ca-certificates"
        run(["debootstrap", "--variant=minbase", f"--include={include}", SUITE, root, apt_mirror()])
        # The mirror is this machine's affair, not the image's.
        for left in (unsafe, root / "etc/apt/sources.list", root / "etc/resolv.conf", root / "etc/hostname"):
            left.unlink(missing_ok=True)
        for cache in ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man"):
            for entry in (root / cache).glob("*"):
                # Licence texts stay.
                if cache == "usr/share/doc":
                    for file in entry.rglob("*"):
                        if file.is_file() and file.name != "copyright":
                            file.unlink()
                elif entry.is_dir():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        run(["apptainer", "build", "--force", target, root])


def collect_wheels(family: str, cache: Path, target: Path) -> None:
    """Collect the wheels of an image's requirements, and for the core the package's own.

    Parameters
    ----------
    family : str
        Which image.
    cache : Path
        Folder in which wheels are kept from one build to the next.
    target : Path
        Folder to make, with what the image takes along and nothing else.
    """
    if sys.version_info[:2] != PYTHON:
        raise SystemExit(f"build: the images hold Python {PYTHON[0]}.{PYTHON[1]}; run this with that version")
    target.mkdir(parents=True)
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir"]
    required = definitions.HERE / family / f"requirements-{family}.txt"
    kept = cache / hashlib.sha256(required.read_bytes()).hexdigest()[:16]
    if not kept.is_dir():
        say(f"{family}: collecting wheels")
        fresh = Path(tempfile.mkdtemp(prefix=".writing-", dir=cache))
        run([*wheel, fresh, "-r", required])
        os.replace(fresh, kept)
    for file in kept.iterdir():
        shutil.copy(file, target)
    if "without" in definitions.read_source(family)["python"]:
        run([*wheel, target, str(definitions.ROOT)])


def ordinary_user() -> str | None:
    """Name of the user who builds: an ordinary one where this is root, else whoever runs this (None)."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(USER)
    except KeyError:
        run(["useradd", "--create-home", "--shell", "/bin/bash", USER])
    return USER


def compression() -> list[str]:
    """Options of a compression that is several times as fast as the default, where this Apptainer can choose it."""
    listed = subprocess.run(["apptainer", "build", "--help"], capture_output=True, text=True, check=True).stdout
    wanted = ["--mksquashfs-args", "-comp zstd -Xcompression-level 3"]
    return wanted if "--mksquashfs-args" in listed else []


def build(family: str, folder: Path, base: Path, extra: Sequence[str] = (), archive: Path | None = None) -> Path:
    """Build one image; give the file, named for its digest."""
    user = ordinary_user()
    # A folder that the ordinary user can reach and write, wherever the checkout lies.
    with tempfile.TemporaryDirectory(prefix=f"snakemrs-{family}-") as name:
        place = Path(name)
        shutil.copy(definitions.HERE / family / f"{family}.def", place)
        if archive is None:
            shutil.copy(definitions.HERE / family / f"requirements-{family}.txt", place)
            (folder / "wheels").mkdir(exist_ok=True)
            collect_wheels(family, folder / "wheels", place / "wheels")
        say(f"{family}: building")
        shutil.copy(base, place / "from.sif")
        (place / "tmp").mkdir()
        arguments = ["--build-arg", "BASE=from.sif", *extra]
        # --force: labels, help and test of the image below are replaced, not kept.
        command: list[str | Path] = ["apptainer", "build", "--force", *compression(), *arguments]
        command += ["new.sif", f"{family}.def"]
        settings = [f"APPTAINER_TMPDIR={place / 'tmp'}", f"APPTAINER_CACHEDIR={place / 'tmp'}"]
        if user is not None:
            entry = pwd.getpwnam(user)
            place.chmod(0o755)
            for path in (place, *place.rglob("*")):
                os.chown(path, entry.pw_uid, entry.pw_gid)
            command = ["runuser", "-u", user, "--", "env", f"HOME={entry.pw_dir}", *settings, *command]
        else:
            command = ["env", *settings, *command]
        run(command, cwd=place)
        sha256 = digest(place / "new.sif")
        final = folder / f"snakemrs-{family}-{sha256[:16]}.sif"
        shutil.copy(place / "new.sif", folder / ".new.sif")
        if user is not None:
            os.chown(folder / ".new.sif", 0, 0)
        (folder / ".new.sif").chmod(0o644)
        os.replace(folder / ".new.sif", final)
    say(f"{family}: {final.name}, {final.stat().st_size / 2**20:.0f} MiB")
    return final


def record(folder: Path, family: str, file: Path, base: Path) -> None:
    """Write down what was built; the family's earlier file goes."""
    path = folder / BUILT
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    earlier = content.get(family, {}).get("file")
    sha256 = digest(file)
    promised = lock()[family]["digest"]
    if promised not in (None, f"sha256:{sha256}"):
        say(f"{family}: differs from the released image {promised}; this build stands for itself")
    content[family] = {
        "file": file.name,
        "sha256": sha256,
        "definition": lock()[family]["definition"],
        "code": code_digest(),
        "base": f"sha256:{digest(base)}",
    }
    aside = path.with_suffix(".new")
    aside.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(aside, path)
    if earlier not in (None, file.name):
        (folder / earlier).unlink(missing_ok=True)


def current(family: str, folder: Path) -> bool:
    """Whether the image that is there is what a build would make: same definition, same code."""
    image = built_images(folder).get(family)
    return image is not None and (image.definition, image.code) == (lock()[family]["definition"], code_digest())


def main() -> int:
    """Build what is asked for and not up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("families", nargs="*", metavar="FAMILY", help="default: core anatomy")
    parser.add_argument("--base", help="base image instead of debootstrap, by digest")
    parser.add_argument("--archive", type=Path, help="the user's own program, for an optional image")
    parser.add_argument("--accept-licence", action="store_true", help="accept the licence of an optional image")
    parser.add_argument("--force", action="store_true", help="build even what is up to date")
    options = parser.parse_args()
    if shutil.which("apptainer") is None:
        raise SystemExit("build: apptainer is not installed (1.0 or newer)")
    families = options.families or ["core", "anatomy"]
    unknown = set(families) - set(definitions.FAMILIES)
    if unknown:
        raise SystemExit(f"build: no such image: {', '.join(sorted(unknown))}; there are {definitions.FAMILIES}")
    folder = images_folder()
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / "base.sif"
    if options.base is not None or not base.exists():
        say("base: making")
        make_base(base, options.base)
    rebuilt: set[str] = set()
    for family in [f for f in definitions.FAMILIES if f in families]:
        source = definitions.read_source(family)
        below = source["base"].get("family")
        if current(family, folder) and below not in rebuilt and options.base is None and not options.force:
            say(f"{family}: up to date")
            continue
        if below is not None and not current(below, folder):
            raise SystemExit(f"build: {family} stands on {below}, which is not built, or not up to date: name that too")
        start = base if below is None else built_images(folder)[below].path
        extra: list[str] = []
        if definitions.is_optional(source):
            if options.archive is None or not options.accept_licence:
                raise SystemExit(f"build: {family} needs --archive FILE and --accept-licence.\n{source['notes']}")
            extra = ["--build-arg", f"ARCHIVE={options.archive.resolve()}", "--build-arg", "ACCEPT_LICENCE=yes"]
        record(folder, family, build(family, folder, start, extra, options.archive), start)
        rebuilt.add(family)
    return 0


if __name__ == "__main__":
    sys.exit(main())
