"""Methods of `numpy.ndarray` on tensors: what NumPy's give, with a gradient where there is one."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_bp as tg
from tinygrad_bp import errors

X = np.array([[1.5, -2.0, 0.5], [3.0, 4.0, -1.0]])

METHODS = {
    "sum": lambda a: a.sum(axis=1, keepdims=True),
    "sum where": lambda a: a.sum(where=np.array([True, False, True]), initial=1.0),
    "sum dtype": lambda a: a.sum(dtype=np.float32),
    "mean": lambda a: a.mean(axis=(0, 1)),
    "var": lambda a: a.var(axis=0, ddof=1),
    "std": lambda a: a.std(),
    "prod": lambda a: a.prod(axis=-1),
    "cumsum": lambda a: a.cumsum(axis=1),
    "cumprod": lambda a: a.cumprod(),
    "max": lambda a: a.max(axis=0, initial=0.0),
    "min": lambda a: a.min(axis=1),
    "argmax": lambda a: a.argmax(axis=1),
    "argmin": lambda a: a.argmin(),
    "argsort": lambda a: a.argsort(axis=0),
    "argpartition": lambda a: a.argpartition(1),
    "searchsorted": lambda a: a[0].searchsorted([0.0, 9.0]),
    "all": lambda a: a.all(axis=0),
    "any": lambda a: a.any(),
    "round": lambda a: a.round(),
    "clip": lambda a: a.clip(-1.0, 2.0),
    "conj": lambda a: a.conj(),
    "conjugate": lambda a: a.conjugate(),
    "real": lambda a: a.real,
    "imag": lambda a: a.imag,
    "dot": lambda a: a.dot(np.ones(3)),
    "trace": lambda a: a.trace(offset=1),
    "diagonal": lambda a: a.diagonal(),
    "take": lambda a: a.take([0, 0, 1], axis=1),
    "repeat": lambda a: a.repeat([1, 2], axis=0),
    "compress": lambda a: a.compress([True, False, True], axis=1),
    "choose": lambda a: (a > 0).choose([10, 20]),
    "reshape": lambda a: a.reshape(3, 2),
    "reshape F": lambda a: a.reshape((3, -1), order="F"),
    "flatten": lambda a: a.flatten("F"),
    "ravel": lambda a: a.ravel(),
    "transpose": lambda a: a.transpose(1, 0),
    "swapaxes": lambda a: a.swapaxes(0, -1),
    "copy": lambda a: a.copy(),
    "squeeze": lambda a: a[None].squeeze(axis=0),
    "T": lambda a: a.T,
    "mT": lambda a: a.mT,
    "divmod": lambda a: divmod(a, 2.0)[1],
    "divmod of a number": lambda a: divmod(5.0, a)[0],
    "shift": lambda a: (a.astype(int) << 1) >> 1,
}
CONSTANT = {
    "argmax",
    "argmin",
    "argsort",
    "argpartition",
    "searchsorted",
    "all",
    "any",
    "round",
    "imag",
    "choose",
    "divmod of a number",
    "shift",
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_gives_what_numpys_gives(name):
    x = tg.Tensor(X, requires_grad=True)
    result = METHODS[name](x)
    expected = METHODS[name](X)
    np.testing.assert_array_equal(result.data, expected)
    assert result.dtype == np.asarray(expected).dtype
    assert result.shape == np.shape(expected)
    assert result.requires_grad == (name not in CONSTANT)
    if result.requires_grad:
        result.sum().backward()
        assert x.grad.shape == X.shape


@pytest.mark.parametrize(
    ("method", "fix"),
    [
        (lambda t: t.sort(), r"np.sort\(t\)"),
        (lambda t: t.partition(1), r"np.partition\(t, kth\)"),
        (lambda t: t.fill(0.0), "np.full_like"),
        (lambda t: t.put([0], 1.0), r"t.at\[index\].set"),
        (lambda t: t.resize(6), "np.resize"),
    ],
)
def test_a_method_that_writes_is_refused_with_what_to_use(method, fix):
    t = tg.Tensor(X, name="t")
    with pytest.raises(errors.InplaceError, match=rf"(?s)tensor 't' \(2, 3\).*Nothing .*{fix}"):
        method(t)
    np.testing.assert_array_equal(t.data, X)


def test_nonzero_gives_an_index():
    t = tg.Tensor(X - 4.0)
    np.testing.assert_array_equal(t[t.nonzero()].data, [-2.5, -6, -3.5, -1, -5])


def test_sizes_are_those_of_the_array():
    t = tg.Tensor(X, dtype=np.float32)
    assert (t.itemsize, t.nbytes, t.size, t.ndim, len(t)) == (4, 24, 6, 2, 2)


def test_every_method_of_an_array_is_there_but_those_about_its_memory():
    memory = {
        *("base", "byteswap", "ctypes", "device", "dump", "dumps", "flags", "flat", "getfield"),
        *("setfield", "setflags", "strides", "to_device", "tobytes", "tofile", "view"),
    }
    public = {name for name in dir(np.ndarray) if not name.startswith("_")}
    assert public - set(dir(tg.Tensor)) == memory
