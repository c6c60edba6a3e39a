from __future__ import annotations

import math

import numpy as np
import pytest
from told import here, told

from tinygrad_bp.errors import ArgumentError, DTypeError, ShapeError
from tinygrad_bp.nn import init

SHAPE = (200, 300)
SCALES = {  # bound of the uniform, deviation of the normal
    "glorot_uniform": math.sqrt(6 / 500),
    "glorot_normal": math.sqrt(2 / 500),
    "he_uniform": math.sqrt(6 / 300),
    "he_normal": math.sqrt(2 / 300),
}


@pytest.mark.parametrize("name", SCALES)
def test_glorot_and_he_have_the_spread_of_their_papers(name):
    a = init.initialize(name, SHAPE, 0, np.float64)
    scale = SCALES[name]
    if name.endswith("uniform"):
        assert np.abs(a).max() <= scale
        assert np.abs(a).max() > 0.999 * scale
        assert a.std() == pytest.approx(scale / math.sqrt(3), rel=0.02)
    else:
        assert a.std() == pytest.approx(scale, rel=0.02)
        assert np.abs(a).max() > 3 * scale
    assert abs(a.mean()) < 0.02 * scale


@pytest.mark.parametrize("name", ["he_uniform", "he_normal"])
def test_he_takes_the_other_fan_and_another_gain(name):
    wide = init.initialize(name, SHAPE, 0, np.float64)
    out = init.initialize({"name": name, "fan": "out"}, SHAPE, 0, np.float64)
    linear = init.initialize({"name": name, "gain": 1.0}, SHAPE, 0, np.float64)
    np.testing.assert_allclose(out, wide * math.sqrt(300 / 200))
    np.testing.assert_allclose(linear, wide / math.sqrt(2))


def test_fans_count_the_kernel():
    assert init.fans((6, 3, 5, 5)) == (75, 150)
    bound = math.sqrt(6 / 225)
    assert np.abs(init.glorot_uniform((6, 3, 5, 5), 0)).max() <= bound


@pytest.mark.parametrize("name", sorted(SCALES))
def test_a_vector_has_no_fans(name):
    with pytest.raises(ShapeError, match=r"the shape \(3,\) has no fan-in"):
        init.initialize(name, (3,))


def test_constant_zeros_ones_uniform_normal():
    assert init.constant((2,), value=3).tolist() == [3, 3]
    assert init.zeros((2,)).tolist() == [0, 0]
    assert init.ones((2,)).tolist() == [1, 1]
    a = init.uniform((10_000,), 0, low=-0.12, high=0.12)
    assert -0.12 <= a.min() < -0.119
    assert 0.119 < a.max() <= 0.12
    b = init.normal((10_000,), 0, mean=2, std=0.01)
    assert b.mean() == pytest.approx(2, abs=1e-3)
    assert b.std() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("name", sorted(init.INITIALIZERS))
def test_every_initializer_keeps_shape_and_dtype_and_draws_the_same_in_both(name):
    declaration = {"name": name, "value": 0.1} if name == "constant" else name
    single = init.initialize(declaration, (4, 5), 7)
    double = init.initialize(declaration, (4, 5), 7, np.float64)
    assert (single.shape, single.dtype) == ((4, 5), np.float32)
    assert (double.shape, double.dtype) == ((4, 5), np.float64)
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert init.initialize(declaration, (0, 5), 7).shape == (0, 5)


def test_a_generator_gives_each_layer_a_child_and_is_not_advanced():
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    first, second = init.child_stream(rng), init.child_stream(rng)
    assert rng.bit_generator.state == state
    assert first.random() != second.random()
    again = init.child_stream(np.random.default_rng(0))
    assert again.random() == init.child_stream(np.random.default_rng(0)).random()


def test_a_seed_is_an_integer():
    assert init.child_stream(np.int64(3)).random() == init.child_stream(3).random()
    assert init.child_stream(None).random() != init.child_stream(None).random()
    for wrong in ("0", 1.5, True, -1, np.int64(-1), [1], np.random.RandomState(0)):
        with pytest.raises(ArgumentError) as caught:
            init.child_stream(wrong)
        told(caught, "an integer seed of 0 or more", here(-1), fix="np.random.default_rng(0)")


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("he_norml", "there is no initializer 'he_norml': did you mean 'he_normal'?"),
        ({"std": 1}, "there is no initializer None: known: constant, "),
        (
            {"name": "normal", "sdt": 1},
            "'normal' has no parameter 'sdt'.\nFix: did you mean 'std'?",
        ),
        (
            {"name": "zeros", "value": 1},
            "'zeros' has no parameter 'value'.\nFix: the name alone, 'zeros'.",
        ),
        ("constant", "'constant' needs the parameter 'value'"),
        ({"name": "normal", "std": -1}, "std is a number of 0 or more, not -1"),
        ({"name": "normal", "mean": math.nan}, "mean is a finite number, not nan"),
        ({"name": "uniform", "high": math.inf}, "high is a finite number, not inf"),
        ({"name": "constant", "value": True}, "value is a finite number, not True"),
        ({"name": "constant", "value": "one"}, "value is a finite number, not 'one'"),
        ({"name": "he_normal", "gain": -1}, "gain is a number of 0 or more, not -1"),
        ({"name": "glorot_uniform", "gain": "a"}, "gain is a number of 0 or more, not 'a'"),
        (3, "there is no initializer 3: known: constant, "),
        ([1, 2], "there is no initializer [1, 2]: known: constant, "),
        ({"name": "normal", "std": "a"}, "std is a number of 0 or more, not 'a'"),
        ({"name": "uniform", "low": 2}, "uniform needs low <= high, not low=2 and high=1.0"),
        ({"name": "he_normal", "fan": "sum"}, "fan is 'in' or 'out', not 'sum'"),
    ],
)
def test_a_wrong_declaration_says_what_is_wrong(declaration, message):
    with pytest.raises(ArgumentError) as caught:
        init.initialize(declaration, (2, 2))
    assert message in str(caught.value)
    assert str(caught.value).count("\nFix: ") == 1


def test_users_add_their_own(monkeypatch):
    def eye(shape, generator=None, dtype=np.float32, *, scale=1.0):
        return np.asarray(scale * np.eye(*shape), dtype)

    monkeypatch.setitem(init.INITIALIZERS, "eye", eye)
    assert init.initialize({"name": "eye", "scale": 2}, (2, 2)).tolist() == [[2, 0], [0, 2]]


def test_what_an_initializer_of_users_cannot_use_is_told(monkeypatch):
    def eye(shape, generator=None, dtype=np.float32, *, scale=1.0):
        return np.asarray(scale * np.eye(*shape), np.dtype(dtype))

    monkeypatch.setitem(init.INITIALIZERS, "eye", eye)
    with pytest.raises(ArgumentError, match=r"'eye' cannot use {'scale': None}: .*\nFix: "):
        init.initialize({"name": "eye", "scale": None}, (2, 2))
    monkeypatch.setitem(init.INITIALIZERS, "eye", lambda shape, generator, dtype: np.eye(3))
    with pytest.raises(ArgumentError, match=r"'eye' gave the shape \(3, 3\) in place of \(2, 2\)"):
        init.initialize("eye", (2, 2))


@pytest.mark.parametrize("name", sorted(init.INITIALIZERS))
def test_shapes_and_dtypes_are_checked(name):
    function = init.INITIALIZERS[name]
    given = {"value": 0.5} if name == "constant" else {}
    for shape in ((2, -1), "ab", None, (2.0, 2), ((2, 2), 2)):
        with pytest.raises(ShapeError) as caught:
            function(shape, **given)
        told(caught, f"no array has the shape {shape!r}", here(-1), fix="as (128, 784)")
    for dtype in (int, complex, "float31", object):
        with pytest.raises(DTypeError) as caught:
            function((2, 2), dtype=dtype, **given)
        told(caught, f"float32 or float64, not {dtype!r}", here(-1), fix="dtype=np.float32")
