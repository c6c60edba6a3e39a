from __future__ import annotations

import subprocess
import sys

import pytest

import tinygrad_bp as tg


def test_importing_the_package_loads_nothing_but_numpy_and_the_standard_library():
    code = (
        "import sys; import numpy; before = set(sys.modules); import tinygrad_bp;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - set(sys.stdlib_module_names) - {'tinygrad_bp', 'numpy'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", tg.__all__)
def test_every_public_name_is_there(name):
    assert getattr(tg, name) is not None
    assert name in dir(tg)


def test_a_misspelt_name_suggests_the_right_one():
    with pytest.raises(AttributeError, match="did you mean 'Tensor'"):
        tg.tensor  # noqa: B018


def test_a_function_of_numpy_is_looked_for_where_it_is():
    with pytest.raises(AttributeError, match=r"did you mean np\.sin\? NumPy's own functions"):
        tg.sin  # noqa: B018
    with pytest.raises(AttributeError, match=r"did you mean tg\.io\.save, for the weights"):
        tg.save  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'hessian'"):
        tg.hesian  # noqa: B018


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("sigmoid", r"nn\.functional\.sigmoid"),
        ("Linear", r"nn\.Linear"),
        ("Adam", r"optim\.Adam"),
        ("DataLoader", r"data\.DataLoader"),
        ("check_gradients", r"testing\.check_gradients"),
        ("save_step_by_step", None),
    ],
)
def test_a_name_of_a_room_is_looked_for_there(name, where):
    with pytest.raises(
        AttributeError, match=rf"did you mean tg\.{where}\?" if where else "known: "
    ):
        getattr(tg, name)


@pytest.mark.parametrize("name", ["gradcheck", "gradgradcheck", "check_grads"])
def test_the_checkers_of_others_are_pointed_to_ours(name):
    with pytest.raises(AttributeError, match=r"Fix: check_gradients\(f, x"):
        getattr(tg.testing, name)
