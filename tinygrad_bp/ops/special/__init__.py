"""The ufuncs of `scipy.special`, whose rules are loaded when SciPy is there and one arrives.

SciPy is optional, and ``import tinygrad_bp`` does not import it. A ufunc that the engine does not
know makes it call the loaders of `tinygrad_bp.core.registry.LATE`, `load` among them.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import numpy as np

from tinygrad_bp.core.registry import LATE

FAMILIES = (
    *("bessel", "entropy", "errors", "gamma", "hypergeometric", "incomplete", "integrals"),
    *("polynomials", "simple"),
)


def load() -> None:
    """Register the rules for `scipy.special`, if the program has imported it; once is enough.

    With SCIPY_ARRAY_API=1 in the environment its functions are no ufuncs, and know no tensors.

    Examples
    --------
    >>> import tinygrad_bp as tg
    >>> from scipy import special
    >>> load()
    >>> x = tg.Tensor([0.0, 1.0], requires_grad=True)
    >>> special.erf(x).sum().backward()
    >>> x.grad
    Tensor([1.12837917, 0.4151075 ])
    """
    special: Any = sys.modules.get("scipy.special")
    if special is not None and isinstance(special.gammainc, np.ufunc):
        for family in FAMILIES:
            importlib.import_module(f"tinygrad_bp.ops.special.{family}")


LATE.append(load)
