"""Transformers: layers of an encoder and of a decoder one after another, and both together."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from tinygrad_bp.nn.arguments import positive
from tinygrad_bp.nn.init import Seed, child_stream, glorot_uniform
from tinygrad_bp.nn.lists import ModuleList
from tinygrad_bp.nn.module import Module
from tinygrad_bp.nn.normalisation_of_samples import LayerNorm
from tinygrad_bp.nn.registry import register_layer
from tinygrad_bp.nn.sequences import Shape, check_declared
from tinygrad_bp.nn.transformer_layers import (
    Activation,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)


def _copies(layer: Module, count: int) -> ModuleList:
    """So many layers of the same first values, each with streams of random numbers of its own."""
    layers = []
    for _ in range(positive("num_layers", count)):
        twin = copy.deepcopy(layer)
        for module, of_twin in zip(layer.modules(), twin.modules(), strict=True):
            stream = getattr(module, "generator", None)
            if isinstance(stream, np.random.Generator):
                of_twin.generator = child_stream(stream)
        layers.append(twin)
    return ModuleList(layers)


@register_layer(parts={"encoder_layer": "layer", "norm": "layer"})
class TransformerEncoder(Module):
    """Copies of an encoder layer, one after another.

    Parameters
    ----------
    encoder_layer : Module
        Is copied; as in PyTorch, all layers have its values at first.
    num_layers : int
        How many.
    norm : Module, optional
        What the last one's output goes through, as a `LayerNorm` where layers have `norm_first`.

    Examples
    --------
    >>> encoder = TransformerEncoder(TransformerEncoderLayer(8, 2, 16), 2)
    >>> encoder(np.zeros((5, 4, 8), np.float32)).shape
    (5, 4, 8)
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    @property
    def encoder_layer(self) -> Module:
        """The first layer, which tells a spec what all are like."""
        return self.layers[0]

    def forward(
        self,
        src: Any,
        mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool | None = None,
    ) -> Any:
        """Map sequences through all layers."""
        x, options = src, {"src_mask": mask, "src_key_padding_mask": src_key_padding_mask}
        for layer in self.layers:
            x = layer(x, is_causal=bool(is_causal), **options)
        return x if self.norm is None else self.norm(x)


@register_layer(parts={"decoder_layer": "layer"})
class TransformerDecoder(Module):
    """Copies of a decoder layer, one after another, all of which look at the same memory.

    Parameters
    ----------
    decoder_layer : Module
        Is copied; as in PyTorch, all layers have its values at first.
    num_layers : int
        How many.
    norm : Module, optional
        What the last one's output goes through; in a spec, put it behind.

    Examples
    --------
    >>> decoder = TransformerDecoder(TransformerDecoderLayer(8, 2, 16), 2)
    >>> decoder(np.zeros((3, 4, 8), np.float32), np.zeros((5, 4, 8), np.float32)).shape
    (3, 4, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    @property
    def decoder_layer(self) -> Module:
        """The first layer, which tells a spec what all are like."""
        return self.layers[0]

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """Map sequences, and what an encoder gave, through all layers."""
        x = tgt
        for layer in self.layers:
            x = layer(
                x,
                memory,
                tgt_mask,
                memory_mask,
                tgt_key_padding_mask,
                memory_key_padding_mask,
                bool(tgt_is_causal),
                memory_is_causal,
            )
        return x if self.norm is None else self.norm(x)


@register_layer(sizes={"d_model": -1})
class Transformer(Module):
    """An encoder of sequences, and a decoder that looks at what it gave.

    A. Vaswani et al., "Attention is all you need", NeurIPS 2017. Embeddings, positions and what
    follows are not in it. In a spec it has two inputs.

    Parameters
    ----------
    d_model, nhead : int
        As of `TransformerEncoderLayer`.
    num_encoder_layers, num_decoder_layers : int, default 6
        How many layers each has.
    dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias
        As of `TransformerEncoderLayer`.
    custom_encoder, custom_decoder : Module, optional
        In place of those that are made.
    causal : bool, default False
        Whether step i of the decoder looks at the steps up to i alone.
    dtype, generator, input_shape
        As of `TransformerEncoderLayer`. All matrices start as `nn.init.glorot_uniform` draws them.

    Examples
    --------
    >>> model = Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> model(np.zeros((4, 5, 8), np.float32), np.zeros((4, 3, 8), np.float32)).shape
    (4, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        causal: bool = False,
        dtype: npt.DTypeLike = np.float32,
        generator: Seed = None,
        input_shape: Shape | None = None,
    ) -> None:
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        self.num_encoder_layers, self.num_decoder_layers = num_encoder_layers, num_decoder_layers
        self.dim_feedforward, self.dropout = dim_feedforward, dropout
        self.activation, self.layer_norm_eps = activation, layer_norm_eps
        self.norm_first, self.bias, self.causal = norm_first, bias, causal
        check_declared(self, input_shape)
        rng = child_stream(generator)
        given = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        options: dict[str, Any] = {"dtype": dtype, "generator": rng}
        encoder: Any = custom_encoder
        if encoder is None:
            layer: Module = TransformerEncoderLayer(*given, norm_first, bias, **options)
            encoder = TransformerEncoder(layer, num_encoder_layers, norm())
        decoder: Any = custom_decoder
        if decoder is None:
            options["causal"] = causal
            layer = TransformerDecoderLayer(*given, norm_first, bias, **options)
            decoder = TransformerDecoder(layer, num_decoder_layers, norm())
        self.encoder, self.decoder = encoder, decoder
        self._custom = custom_encoder is not None, custom_decoder is not None
        for p in self.parameters():
            if p.ndim > 1:
                p.assign(glorot_uniform(p.shape, rng, p.dtype))

    @property
    def custom_encoder(self) -> Module | None:
        """The encoder, if it was given."""
        return self.encoder if self._custom[0] else None

    @property
    def custom_decoder(self) -> Module | None:
        """The decoder, if it was given."""
        return self.decoder if self._custom[1] else None

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Any:
        """Map sequences to read, and sequences to go on with, to what follows these."""
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, dtype: npt.DTypeLike = np.float32
    ) -> npt.NDArray[Any]:
        """The mask of numbers that lets step i look at the steps up to i alone.

        Examples
        --------
        >>> Transformer.generate_square_subsequent_mask(2)
        array([[  0., -inf],
               [  0.,   0.]], dtype=float32)
        """
        return np.where(np.tri(sz, dtype=bool), 0, -np.inf).astype(dtype)
