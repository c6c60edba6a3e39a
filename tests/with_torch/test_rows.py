from __future__ import annotations

import pytest
from with_torch import rows

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # on arrays of this size, threads take eight times as long as they save


@pytest.mark.parametrize("row", rows.load_rows(), ids=lambda row: row.name)
def test_outputs_gradients_and_second_derivatives_are_those_of_torch(row):
    for seed in range(row.cases):
        found = rows.compare(row, seed)
        assert max(vars(found).values()) <= rows.TOLERANCE, (seed, found)
