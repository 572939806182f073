"""Methods text as Markdown and LaTeX, with a bibliography of what it cites."""

from __future__ import annotations

import re
from importlib.resources import files

from snakemrs.report.methods.evidence import Evidence
from snakemrs.report.methods.sentences import SECTIONS

CITATION = re.compile(r"\[(@[a-z0-9]+(?:; @[a-z0-9]+)*)\]")
_LATEX = {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
          "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
          "–": "--", "×": r"$\times$", "±": r"$\pm$", "³": r"$^3$", "“": "``", "”": "''", "−": "$-$", "≥": r"$\geq$",
          "≤": r"$\leq$"}  # fmt: skip


def sections(evidence: Evidence) -> list[tuple[str, str]]:
    """Give the sections as (title, text) with citation markers."""
    return [(title, " ".join(tell(evidence))) for title, tell in SECTIONS if tell(evidence)]


def cited(parts: list[tuple[str, str]]) -> list[str]:
    """Keys cited, in the order of first citation."""
    found = [key for _, text in parts for group in CITATION.findall(text) for key in re.findall(r"@([a-z0-9]+)", group)]
    return list(dict.fromkeys(found))


def library() -> dict[str, str]:
    """Entries of the package's references.bib, by key."""
    text = files("snakemrs.report.methods").joinpath("references.bib").read_text(encoding="utf-8")
    entries = re.findall(r"(@\w+\{([a-z0-9]+),.*?\n\})", text, flags=re.DOTALL)
    return {key: entry for entry, key in entries}


def bibliography(keys: list[str]) -> str:
    """BibTeX of the entries cited."""
    known = library()
    missing = [key for key in keys if key not in known]
    if missing:
        raise KeyError(f"references.bib lacks {missing}")
    return "\n\n".join(known[key] for key in keys) + "\n"


def paragraphs(evidence: Evidence) -> list[tuple[str, str]]:
    """Give the sections with citations as (Author Year), for a page."""
    return [(head, CITATION.sub(lambda m: _author_year(m.group(1)), text)) for head, text in sections(evidence)]


def markdown(parts: list[tuple[str, str]], title: str, with_references: bool) -> str:
    """Methods text in Markdown; citations as (Author Year), references at the end."""
    lines = [
        "# Methods",
        "",
        f"Study: {_plain(title)}. Written by SnakeMRS from the records of the steps that ran.",
        "",
    ]
    for head, text in parts:
        lines += [f"## {head}", "", CITATION.sub(lambda m: _author_year(m.group(1)), text), ""]
    if with_references:
        lines += ["## References", ""]
        lines += [f"- {reference_line(entry)}" for entry in (library()[k] for k in cited(parts))]
        lines.append("")
    return "\n".join(lines)


def latex(parts: list[tuple[str, str]], title: str) -> str:
    """Methods text in LaTeX, a document that compiles with references.bib beside it."""
    body = [
        r"\documentclass{article}",
        r"\usepackage[T1]{fontenc}",
        r"\usepackage[utf8]{inputenc}",
        r"\begin{document}",
        r"\section*{Methods}",
        f"Study: {escape_latex(title)}.",
    ]
    for head, text in parts:
        body.append(rf"\subsection*{{{escape_latex(head)}}}")
        pieces, at = [], 0
        for match in CITATION.finditer(text):
            keys = ",".join(re.findall(r"@([a-z0-9]+)", match.group(1)))
            pieces += [escape_latex(text[at : match.start()].rstrip()), rf"~\cite{{{keys}}}"]
            at = match.end()
        pieces.append(escape_latex(text[at:]))
        body.append(re.sub(r"`([^`]*)`", r"\\texttt{\1}", "".join(pieces)))
    body += [r"\bibliographystyle{plain}", r"\bibliography{references}", r"\end{document}", ""]
    return "\n".join(body)


def escape_latex(text: str) -> str:
    """Escape what LaTeX would take as a command."""
    return "".join(_LATEX.get(character, character) for character in text)


def _plain(text: str) -> str:
    """Escape what Markdown or HTML in Markdown would take as markup."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


def _fields(entry: str) -> dict[str, str]:
    return dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*)\},?\s*$", entry, flags=re.MULTILINE))


def _author_year(markers: str) -> str:
    parts = []
    for key in re.findall(r"@([a-z0-9]+)", markers):
        fields = _fields(library()[key])
        names = fields["author"].split(" and ")
        first = names[0].split(",")[0].strip("{}")
        second = names[1].split(",")[0] if len(names) == 2 and names[1] != "others" else ""
        who = f"{first} et al." if len(names) > 2 or (len(names) == 2 and not second) else first
        parts.append(f"{who if not second else f'{first} and {second}'} {fields['year']}")
    return f"({'; '.join(parts)})"


def reference_line(entry: str) -> str:
    """One reference as a line of text."""
    fields = _fields(entry)
    authors = fields["author"].replace(" and others", " et al.").replace(" and ", "; ")
    where = f"{fields.get('journal', '')} {fields.get('volume', '')}".strip()
    pages = f":{fields['pages']}" if fields.get("pages") else ""
    doi = f" https://doi.org/{fields['doi']}" if fields.get("doi") else ""
    return f"{authors} ({fields['year']}). {fields['title'].replace('{', '').replace('}', '')}. {where}{pages}.{doi}"
