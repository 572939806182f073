"""Methods text, reporting checklists and bibliography, from what really ran."""
