"""ANTs in this process (ANTsPy), without the parts that nobody here calls."""

from __future__ import annotations

import importlib
import sys
from functools import cache
from types import ModuleType
from typing import Any, NoReturn

# They bring in statsmodels, scikit-learn, matplotlib and scipy.stats: three quarters of the seconds that ANTsPy (0.6)
# takes to start, before each segmentation.
UNUSED = ("ants.plotting", "ants.learn", "ants.deeplearn", "ants.math.quantile")


class _LeftOut(ModuleType):
    """Stands for a module that is not loaded; whatever it holds refuses to be called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*_: object, **__: object) -> NoReturn:
            raise NotImplementedError(f"{self.__name__}.{name} is left out (snakemrs.interfaces.ants)")

        return refuse


@cache
def load_ants() -> ModuleType:
    """Import ANTsPy: ``ants = load_ants()`` instead of ``import ants``."""
    stands = {name: _LeftOut(name) for name in UNUSED if name not in sys.modules}
    sys.modules.update(stands)
    try:
        importlib.import_module("snakemrs.interfaces.nib")  # before ANTsPy imports nibabel in its own way
        return importlib.import_module("ants")
    finally:
        for name in stands:
            del sys.modules[name]
