from __future__ import annotations

import numpy as np
import pytest
from draw.plotting import png
from told import here, told

import tinygrad_bp as tg
from tinygrad_bp import draw, errors, nn
from tinygrad_bp.draw import surface


class _Seen(nn.Module):
    """A bowl in two numbers, which notes where it was asked."""

    def __init__(self):
        self.a = nn.Parameter(np.float32(1.5))
        self.b = nn.Parameter(np.array([2.0, 0.0]))
        self.asked = []

    def forward(self):
        self.asked.append((self.a.item(), *self.b.data))
        return (self.a - 1.0) ** 2 + 3.0 * (self.b**2).sum()


ALONG = [{"a": 1.0}, {"b": [1.0, 0.5]}]


def test_each_value_is_the_loss_at_its_place(monkeypatch, ax):
    shown = []
    monkeypatch.setattr(surface, "_draw", lambda ax, steps, values: shown.extend([steps, values]))
    model = _Seen()
    draw.landscape(lambda m: m(), model, ALONG, extent=2.0, points=5, ax=ax)
    steps, values = shown
    np.testing.assert_array_equal(steps, [-2, -1, 0, 1, 2])
    a, b = 1.5 + steps, 2.0 + steps
    expected = (a[None, :] - 1) ** 2 + 3 * (b**2 + (steps / 2) ** 2)[:, None]
    np.testing.assert_allclose(values, expected, rtol=1e-14)
    assert len(model.asked) == 25


def test_the_picture_has_contours_a_cross_and_a_scale_and_is_the_same_each_time(ax):
    other = ax.figure.__class__(layout="constrained").subplots()
    for axes in (ax, other):
        draw.landscape(lambda m: m(), _Seen(), ALONG, points=5, ax=axes)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    assert ax.lines[0].get_xydata().tolist() == [[0.0, 0.0]]
    assert type(ax.collections[0].norm).__name__ == "Normalize"
    assert ax.figure.axes[1].get_ylabel() == "loss"
    assert png(ax) == png(other)


@pytest.mark.parametrize("high", [1.3, 5.0, 40.0, 3e4, 2e11])
def test_the_scale_has_round_numbers(ax, high):
    steps = np.linspace(-1, 1, 5)
    surface._draw(ax, steps, 1.1 * (high / 1.1) ** np.maximum.outer(np.abs(steps), np.abs(steps)))
    bar = ax.figure.axes[1]
    ax.figure.canvas.draw()
    low, top = bar.get_ylim()
    inside = [tick for tick in bar.get_yticks() if low <= tick <= top]
    assert 3 <= len(inside) <= 9
    assert [float(f"{tick:.3g}") for tick in inside] == pytest.approx(inside, rel=1e-12)


def test_random_directions_are_as_long_as_the_weights_of_each_unit():
    model = nn.Sequential(nn.Linear(6, 4, generator=0), nn.Linear(4, 2, generator=1))
    named = dict(model.named_parameters())
    named["0.weight"].data[1] = 0.0
    found = surface._filter_normalised(named, np.random.default_rng(0))
    assert list(found) == ["0.weight", "1.weight"]
    for name, direction in found.items():
        lengths = np.linalg.norm(named[name].data, axis=1)
        np.testing.assert_allclose(np.linalg.norm(direction, axis=1), lengths, rtol=1e-6)


def _noisy():
    """A network of every kind of state, and its loss."""
    model = nn.Sequential(nn.Linear(3, 8, generator=0), nn.Dropout(0.5, generator=1))
    model.calls = nn.Buffer([0.0])
    model.calls.assign([5.0])

    def loss(m):
        m.calls.assign(m.calls.data + 1)
        return (m(np.ones((4, 3), np.float32)) ** 2).mean()

    return model, loss


def _state(model):
    arrays = {name: (id(p._data), p.data.tobytes()) for name, p in model.named_parameters()}
    kept = {name: b.data.tobytes() for name, b in model.named_buffers()}
    return arrays, kept, [str(g.bit_generator.state) for _, g in model.generators()]


def test_the_network_is_left_bit_for_bit_as_it_was(ax):
    model, loss = _noisy()
    model[0].weight.data.flat[0] = -0.0
    pending = model(np.ones((4, 3), np.float32)).sum()
    before = _state(model)
    draw.landscape(loss, model, points=4, ax=ax)
    assert _state(model) == before
    pending.backward()  # a graph of before still stands


def test_the_network_is_left_bit_for_bit_as_it_was_when_the_loss_raises():
    model, loss = _noisy()
    before, calls = _state(model), []

    def failing(m):
        calls.append(1)
        if len(calls) == 7:
            raise ZeroDivisionError
        return loss(m)

    with pytest.raises(ZeroDivisionError):
        draw.landscape(failing, model, points=4)
    assert _state(model) == before


def test_every_value_is_computed_with_the_same_random_numbers(ax):
    seen = []

    def loss(m):
        seen.append(m(np.ones((4, 3), np.float32)).data == 0)
        return seen[-1].sum() + abs(m[0].bias.data[0])

    draw.landscape(loss, _noisy()[0], [{"0.bias": np.ones(8)}, {}], points=3, ax=ax)
    assert all(np.array_equal(zeros, seen[0]) for zeros in seen)


def test_losses_of_many_magnitudes_have_a_logarithmic_scale_and_holes_where_not_finite(ax):
    model = nn.Linear(1, 1, generator=0)

    start = model.bias.data.copy()

    def loss(m):
        away = float(m.bias.data[0] - start[0])
        return np.inf if away > 0.9 else 10.0**away

    draw.landscape(loss, model, [{"bias": [1.0]}, {"weight": [[1.0]]}], points=9, ax=ax)
    assert type(ax.collections[0].norm).__name__ == "LogNorm"
    png(ax)


def test_mistakes_are_errors_before_anything_is_computed():
    model, asked = nn.Linear(2, 1, generator=0), []

    def loss(m):
        asked.append(1)
        return 0.0

    with pytest.raises(errors.ArgumentError) as caught:
        draw.landscape(loss, model, [{"weigth": np.ones((1, 2))}, {}])
    told(caught, "'weigth'", "did you mean 'weight'", here(-1), fix="named_parameters")
    with pytest.raises(errors.ShapeError) as caught:
        draw.landscape(loss, model, [{"weight": np.ones(2)}, {}])
    told(caught, "'weight'", "(2,)", "(1, 2)", here(-1), fix="the same shape")
    with pytest.raises(errors.ArgumentError) as caught:
        draw.landscape(loss, model, [{}])
    told(caught, "not 1", here(-1), fix="two mappings")
    assert not asked


def test_a_loss_that_does_not_see_the_model_and_one_of_several_numbers_are_errors():
    model = nn.Linear(2, 1, generator=0)
    with pytest.raises(errors.ArgumentError) as caught:
        draw.landscape(lambda m: 0.25, model, points=3)
    told(caught, "0.25 everywhere", here(-1), fix="with the model that")
    with pytest.raises(errors.ArgumentError, match="nowhere finite"):
        draw.landscape(lambda m: np.nan, model, points=3)
    with pytest.raises(errors.ShapeError) as caught:
        draw.landscape(lambda m: m(np.ones((3, 2), np.float32)), model, points=3)
    told(caught, "(3, 1)", fix="mean()")


def test_what_is_computed_is_not_recorded(ax):
    recorded = []

    def loss(m):
        out = m(np.ones((1, 2), np.float32)).sum()
        recorded.append(out.requires_grad or tg.is_grad_enabled())
        return out

    draw.landscape(loss, nn.Linear(2, 1, generator=0), points=3, ax=ax)
    assert recorded == [False] * 9
