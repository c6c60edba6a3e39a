"""Cases of `ops/convolution.py`: the references take one window after another."""

from __future__ import annotations

import numpy as np

from tinygrad_bp.core import PRIMITIVES
from tinygrad_bp.testing.catalogue.case import Case

# Along one axis: every option alone; along two and three: all of them together.
PLAIN = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
WIDE = {"stride": (2,), "padding": ((1, 0),), "dilation": (2,), "groups": 2}
PLANE = {"stride": (2, 1), "padding": ((1, 1), (0, 2)), "dilation": (1, 2), "groups": 1}
SOLID = {"stride": (1, 2, 1), "padding": ((0, 0), (1, 0), (0, 0)), "dilation": (1,) * 3}
SOLID["groups"] = 2


def window(p, kernel, stride, dilation):
    """The index of the window at a place of the output, in the padded array."""
    each = zip(p, kernel, stride, dilation, strict=True)
    return tuple(slice(i * s, i * s + d * (k - 1) + 1, d) for i, k, s, d in each)


def padded(x, padding, value=0.0):
    return np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value)


def outputs(x, kernel, stride, padding, dilation):
    """The places of all windows that lie within the padded array, by trying."""
    size = [n + sum(pad) for n, pad in zip(x.shape[2:], padding, strict=True)]
    each = zip(size, kernel, stride, dilation, strict=True)
    counts = [sum(i * s + d * (k - 1) < n for i in range(n)) for n, k, s, d in each]
    return np.ndindex(*counts), tuple(counts)


def _scattered(kernel, stride, padding, dilation, groups):
    """(x, y) -> the sum over windows p of y at p times the window, and its relatives."""

    def pairs(x, w):
        """Each place of the output, channel of it, and the index of its window."""
        across = w.shape[1]
        ps, _ = outputs(x, kernel, stride, padding, dilation)
        for p in ps:
            for o in range(len(w)):
                first = o // (len(w) // groups) * across
                channels = slice(first, first + across)
                yield p, o, (slice(None), channels, *window(p, kernel, stride, dilation))

    return pairs


def _convolved(stride, padding, dilation, groups):
    def reference(x, w, b=None):
        pairs = _scattered(w.shape[2:], stride, padding, dilation, groups)
        _, out = outputs(x, w.shape[2:], stride, padding, dilation)
        types = [a.dtype for a in (x, w, b) if a is not None]
        z, wide = np.zeros((len(x), len(w), *out), np.result_type(*types)), padded(x, padding)
        for p, o, index in pairs(x, w):
            bias = 0 if b is None else b[o]
            z[(slice(None), o, *p)] = [np.sum(part * w[o]) + bias for part in wide[index]]
        return z

    return reference


def _carried_back(size, stride, padding, dilation, groups):
    def reference(y, w, b=None):
        types = [a.dtype for a in (y, w, b) if a is not None]
        x = np.zeros((len(y), w.shape[1] * groups, *size), np.result_type(*types))
        wide = padded(x, padding)
        for p, o, index in _scattered(w.shape[2:], stride, padding, dilation, groups)(x, w):
            for n in range(len(y)):
                wide[n][index[1:]] += y[(n, o, *p)] * w[o]
        inner = (slice(a, a + n) for (a, _), n in zip(padding, size, strict=True))
        bias = 0 if b is None else b.reshape(-1, *(1,) * len(size))
        return wide[(..., *inner)] + bias

    return reference


def _weighed(kernel, stride, padding, dilation, groups):
    def reference(x, y):
        w = np.zeros((y.shape[1], x.shape[1] // groups, *kernel), np.result_type(x, y))
        wide = padded(x, padding)
        for p, o, index in _scattered(kernel, stride, padding, dilation, groups)(x, w):
            for n in range(len(x)):
                w[o] += wide[n][index[1:]] * y[(n, o, *p)]
        return w

    return reference


def _case(name, shapes, reference, label, **params):
    return Case(
        name,
        lambda *inputs: PRIMITIVES[name](*inputs, **params),
        tuple(shapes),
        reference=reference,
        complex_step=True,
        label=label,
    )


def _three(label, geometry, x, w, out, *, bias):
    """A case of each of the three maps, with the same shapes."""
    y = (x[0], w[0], *out)
    across = (w[1] * geometry["groups"],)

    def with_bias(shapes, b):
        return (shapes, (*shapes, b)) if bias else (shapes,)

    back, weigh = {**geometry, "size": x[2:]}, {**geometry, "kernel": w[2:]}
    return [
        _case("convolution", with_bias((x, w), w[:1]), _convolved(**geometry), label, **geometry),
        _case(
            "transposed_convolution",
            with_bias((y, w), across),
            _carried_back(**back),
            label,
            **back,
        ),
        _case("convolution_weights", [(x, y)], _weighed(**weigh), label, **weigh),
    ]


CASES = [
    *_three("of a line", PLAIN, (2, 2, 4), (1, 2, 3), (2,), bias=True),
    *_three("with steps", WIDE, (1, 2, 5), (2, 1, 2), (2,), bias=True),
    *_three("of a plane", PLANE, (1, 1, 3, 2), (2, 1, 2, 2), (2, 2), bias=True),
    *_three("of a solid", SOLID, (1, 2, 1, 3, 2), (2, 1, 1, 2, 2), (1, 2, 1), bias=False),
    _case("convolution", [((0, 1, 3), (1, 1, 2))], _convolved(**PLAIN), "of none", **PLAIN),
]
