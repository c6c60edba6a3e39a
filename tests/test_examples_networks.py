"""The programs of examples/ that train deeper networks, shortened, and the newcomer's one."""

from __future__ import annotations

import runpy

import numpy as np
from programs import EXAMPLES, ROOT, mnist_folder, numbers, run_here, told_by_the_page

import tinygrad_bp as tg

__all__ = ["mnist_folder", "run_here"]  # fixtures


def test_lenet_learns_digits_and_shows_what_it_looks_for(mnist_folder, run_here, tmp_path):
    out = run_here("lenet.py", "--data-dir", mnist_folder, "--samples", "1500", "--epochs", "2")
    assert "61,706 parameters" in out
    accuracies = numbers(out, "test accuracy")
    assert len(accuracies) == 2
    assert accuracies[-1] > 0.7
    told_by_the_page("lenet", out, tmp_path)


def test_a_residual_network_learns_small_digits(run_here, tmp_path):
    out = run_here("residual_network.py", "--epochs", "2")
    assert numbers(out, "test accuracy")[-1] > 0.8
    told_by_the_page("residual_network", out, tmp_path)


def test_the_blocks_of_the_residual_network_add_to_what_they_are_given():
    model = runpy.run_path(str(EXAMPLES / "residual_network.py"))["SPEC"].build(0).eval()
    x = np.random.default_rng(0).normal(size=(2, 16, 8, 8)).astype(np.float32)
    with tg.no_grad():
        same, narrower = model[3], model[5]
        first, second = same[:](x).data, narrower[:](x).data
        np.testing.assert_array_equal(same(x).data, x + first)
        np.testing.assert_array_equal(narrower(x).data, narrower.shortcut(x).data + second)
    assert second.shape == (2, 32, 4, 4)


def test_the_newcomers_program_runs_in_under_sixty_lines(run_here, tmp_path):
    out = run_here("newcomer.py", "1")
    assert "274 derivatives agree" in out
    assert numbers(out, "right of pairs of other digits:")[0] > 0.75
    assert {path.name for path in tmp_path.iterdir()} >= {"newcomer.svg", "newcomer.safetensors"}
    assert len((EXAMPLES / "newcomer.py").read_text().splitlines()) < 60


def test_the_newcomers_page_goes_through_the_whole_program():
    page = set((ROOT / "docs" / "networks.md").read_text().splitlines())
    source = (EXAMPLES / "newcomer.py").read_text().split('"""', 2)[2]
    left_out = [line for line in source.splitlines() if line not in page]
    # The number of epochs comes from the command line; what is measured, the page only bounds.
    assert all("print(" in line or "sys" in line for line in left_out), left_out
    assert len(left_out) == 4
