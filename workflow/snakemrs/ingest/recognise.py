"""Recognise raw files by what is in them, not by their names."""

from __future__ import annotations

from pathlib import Path

from snakemrs.errors import DataError, SnakeMRSError
from snakemrs.ingest.raw import RawFile

__all__ = ["RawFile", "files_of", "recognise"]


def recognise(path: str | Path) -> RawFile:
    """Recognise a raw file, or a folder that holds one DICOM series or one Bruker scan.

    Parameters
    ----------
    path : path
        SDAT or SPAR, twix .dat, .rda, DICOM, P-file, NIfTI, NIfTI-MRS, DATA or LIST, or a folder.

    Returns
    -------
    RawFile
        ``format`` is ``unknown`` and `why` says why, where it is nothing that is known.

    Raises
    ------
    DataError
        If the file is of a known format but damaged or incomplete.
    """
    path = Path(path)
    if not path.exists():
        raise DataError("the raw file does not exist", file=path)
    try:
        if path.is_dir():
            from snakemrs.ingest.formats import other

            return other.recognise_folder(path)
        with path.open("rb") as stream:
            head = stream.read(4096)
        if not head:
            raise DataError("the file is empty", file=path)
        return _recognise_file(path, head)
    except SnakeMRSError:
        raise
    except MemoryError:
        raise DataError("the header asks for more memory than there is", file=path) from None
    except Exception as error:
        raise DataError(
            "the file is damaged: its header cannot be read",
            file=path,
            found=type(error).__name__,  # its text may quote the header, and so a name
            remedy="copy the file from the scanner again",
        ) from None


def files_of(path: str | Path) -> list[Path]:
    """List every file that the scan at `path` is made of (SDAT and SPAR, all slices of a series), sorted."""
    path = Path(path)
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file())
    from snakemrs.ingest.formats.philips import partner

    for one, other in (("sdat", "spar"), ("spar", "sdat"), ("data", "list"), ("list", "data")):
        if path.suffix.lower() == f".{one}":
            beside = [partner(path, other)]
            if one in ("data", "list"):
                beside.append(partner(path, "spar"))
            return sorted({path, *(p for p in beside if p is not None)})
    return [path]


def _recognise_file(path: Path, head: bytes) -> RawFile:
    from snakemrs.ingest.formats import philips

    suffix = path.suffix.lower()
    if suffix in (".sdat", ".spar") or philips.is_spar(head.decode("latin-1")):
        return _philips_pair(path, suffix)
    from snakemrs.ingest.formats import nifti, nifti_mrs

    if head[:2] == b"\x1f\x8b" or head[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c"):
        source = nifti.read_bytes(path)
        if any(code == 44 for code, _ in source.extensions):
            return nifti_mrs.recognise(path)
        return nifti.recognise_image(path, source)
    from snakemrs.ingest.formats import other

    return other.recognise(path, head)


def _philips_pair(path: Path, suffix: str) -> RawFile:
    from snakemrs.ingest.formats import philips

    sdat = path if suffix == ".sdat" else philips.partner(path, "sdat")
    if sdat is None and (philips.partner(path, "data") or philips.partner(path, "list")):
        from snakemrs.ingest.formats import datalist

        return datalist.recognise(philips.partner(path, "data") or path)
    spar = philips.partner(path, "spar") if suffix == ".sdat" else path
    if sdat is None or spar is None:
        missing = "SDAT" if sdat is None else "SPAR"
        raise DataError(
            f"the {missing} file beside it is missing",
            file=path,
            expected=f"{path.with_suffix('.' + missing).name}",
            remedy="copy both files of the pair into one folder",
        )
    return philips.recognise(sdat, spar)
