"""The layers of Transformers: attention, a dense network, and what is around each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.core.tensor import Tensor, as_tensor
from tinygrad_bp.nn.arguments import positive, shown
from tinygrad_bp.nn.attention import MultiheadAttention
from tinygrad_bp.nn.cells import choice, misfit
from tinygrad_bp.nn.dropout import Dropout
from tinygrad_bp.nn.functional.activations import gelu, relu
from tinygrad_bp.nn.init import Seed, child_stream
from tinygrad_bp.nn.layers import Linear
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.normalisation_of_samples import LayerNorm
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.sequences import Shape, check_declared

Activation = str | Callable[[Any], Any]


class _Layer(Module):
    """What the layers share: attentions, a dense network, and what is around each of them."""

    attentions: tuple[str, ...] = ("self_attn",)

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        causal: bool = False,
        rotary: bool = False,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        input_shape: Shape | None = None,
    ) -> None:
        self.d_model, self.nhead = positive("d_model", d_model), positive("nhead", nhead)
        self.dim_feedforward = positive("dim_feedforward", dim_feedforward)
        self.activation = activation
        if not callable(activation):
            choice("activation", activation, ("relu", "gelu"))
        self.layer_norm_eps, self.batch_first = layer_norm_eps, batch_first
        self.norm_first, self.bias = norm_first, bias
        check_declared(self, input_shape)
        rng = child_stream(generator)
        made: dict[str, Any] = {"dtype": dtype, "generator": rng}
        for name in self.attentions:
            own = {"causal": causal, "rotary": rotary} if name == "self_attn" else {}
            options: dict[str, Any] = {"batch_first": batch_first, "returns": "output", **own}
            attention = MultiheadAttention(d_model, nhead, dropout, bias, **options, **made)
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **made)
        self.dropout = Dropout(dropout, rng)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **made)
        count = 1 + len(self.attentions)
        for k in range(count):
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            setattr(self, f"norm{k + 1}", norm)
        for k in range(count):
            setattr(self, f"dropout{k + 1}", Dropout(dropout, rng))

    def _around(self, k: int, x: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
        """The input plus what a part makes of it, normalised before or after."""
        norm, drop = getattr(self, f"norm{k}"), getattr(self, f"dropout{k}")
        around: Tensor = x + drop(part(norm(x))) if self.norm_first else norm(x + drop(part(x)))
        return around

    def _dense(self, x: Tensor) -> Tensor:
        named: Any = {"relu": relu, "gelu": gelu}
        activation = self.activation if callable(self.activation) else named[self.activation]
        y: Tensor = self.linear2(self.dropout(activation(self.linear1(x))))
        return y

    def _checked(self, sequences: Any, what: str = "input") -> Tensor:
        x = as_tensor(sequences)
        if x.ndim not in (2, 3) or x.shape[-1] != self.d_model:
            axes = "samples, steps" if self.batch_first else "steps, samples"
            expected = f"({axes}, {self.d_model}), or (steps, {self.d_model}) for one sample"
            raise misfit(self, what, x.shape, expected, "sequences with their features last.")
        return x

    def config(self) -> dict[str, Any]:
        """What a spec says of this layer."""
        attention: Any = self.self_attn  # type: ignore[attr-defined]
        names = ("nhead", "dim_feedforward", "activation", "layer_norm_eps", "batch_first")
        said = {name: getattr(self, name) for name in (*names, "norm_first", "bias")}
        rotary = attention.rotary is not None
        return said | {"dropout": self.dropout.p, "causal": attention.causal, "rotary": rotary}

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self, **self.config())


@register_layer(sizes={"d_model": -1})
class TransformerEncoderLayer(_Layer):
    """Each step looks at all others, then goes through a dense network; both are added to it.

    A. Vaswani et al., "Attention is all you need", NeurIPS 2017.

    Parameters
    ----------
    d_model : int
        Features of each step.
    nhead : int
        Heads of the attention.
    dim_feedforward : int, default 2048
        Units of the dense network.
    dropout : float, default 0.1
        Of weights of attention, units, and what is added, in training.
    activation : {"relu", "gelu"} or callable
        Of the units.
    layer_norm_eps : float, default 1e-5
        Of the layer normalisations.
    batch_first : bool, default False
        Whether sequences are (samples, steps, d_model), and not (steps, samples, d_model). A spec
        needs it.
    norm_first : bool, default False
        Whether what is looked at is normalised, and not the sum.
    bias : bool, default True
        Whether there are biases.
    causal : bool, default False
        Whether step i looks at the steps up to i alone.
    rotary : bool, default False
        Whether queries and keys are turned by their positions.
    dtype : dtype, default float32
        Of the parameters.
    generator : Generator, int or None
        Where first values and dropout come from.
    input_shape : tuple of int, optional
        Given by a spec.

    Examples
    --------
    >>> layer = TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(np.zeros((4, 5, 8), np.float32)).shape
    (4, 5, 8)
    """

    self_attn: MultiheadAttention

    def forward(
        self,
        src: Any,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Map sequences to sequences of the same shape; masks are those of `MultiheadAttention`."""

        def look(x: Tensor) -> Tensor:
            options = {"attn_mask": src_mask, "key_padding_mask": src_key_padding_mask}
            y: Tensor = self.self_attn(x, is_causal=is_causal, **options)
            return y

        return self._around(2, self._around(1, self._checked(src), look), self._dense)


@register_layer(sizes={"d_model": -1})
class TransformerDecoderLayer(_Layer):
    """As `TransformerEncoderLayer`, and in between, each step looks at what an encoder gave.

    In a spec it has two inputs: the sequences, and what the encoder gave.

    Parameters
    ----------
    d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first,
    bias, causal, rotary, dtype, generator, input_shape
        As of `TransformerEncoderLayer`; `causal` and `rotary` are those of the first attention.

    Examples
    --------
    >>> layer = TransformerDecoderLayer(8, 2, 16, batch_first=True, causal=True)
    >>> layer(np.zeros((4, 3, 8), np.float32), np.zeros((4, 5, 8), np.float32)).shape
    (4, 3, 8)
    """

    attentions = ("self_attn", "multihead_attn")
    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Map sequences, and what an encoder gave, to sequences of the shape of the first."""
        x, kept = self._checked(tgt), self._checked(memory, "memory")

        def look(x: Tensor) -> Tensor:
            options = {"attn_mask": tgt_mask, "key_padding_mask": tgt_key_padding_mask}
            y: Tensor = self.self_attn(x, is_causal=tgt_is_causal, **options)
            return y

        def look_up(x: Tensor) -> Tensor:
            options = {"attn_mask": memory_mask, "key_padding_mask": memory_key_padding_mask}
            y: Tensor = self.multihead_attn(x, kept, is_causal=memory_is_causal, **options)
            return y

        x = self._around(2, self._around(1, x, look), look_up)
        return self._around(3, x, self._dense)
