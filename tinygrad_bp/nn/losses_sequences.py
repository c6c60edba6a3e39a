"""The loss of label sequences, as a module."""

from __future__ import annotations

from typing import Any

from tinygrad_bp.core import Tensor
from tinygrad_bp.nn import functional
from tinygrad_bp.nn.losses import Loss
from tinygrad_bp.nn.targets import Reduction


class CTCLoss(Loss):
    """Connectionist temporal classification, of log-probabilities (T, N, C) and labels.

    The arguments are those of `functional.ctc_loss`.

    Raises
    ------
    ArgumentError
        There is no such reduction.

    Examples
    --------
    >>> import numpy as np
    >>> CTCLoss()(np.log(np.full((2, 1, 2), 0.5)), [[1]], [2], [1]).item().__round__(6)
    0.287682
    """

    def __init__(
        self, blank: int = 0, reduction: Reduction = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        """The loss of log-probabilities and labels, with their lengths."""
        return functional.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
