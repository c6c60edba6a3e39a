"""Rules of products of matrices and of what layers are made of."""

from __future__ import annotations

from tinygrad_bp.onnx.builder import Builder
from tinygrad_bp.onnx.reductions import reduced
from tinygrad_bp.onnx.table import Step, rule


@rule("linear")
def _linear(b: Builder, step: Step) -> str:
    x, weight = step.cast(0), step.cast(1)
    bias = [step.cast(2)] if len(step.inputs) > 2 and step.inputs[2] is not None else []
    if step.input().rank == 2:
        return b.add("Gemm", x, weight, *bias, transB=1)
    product = b.add("MatMul", x, b.add("Transpose", weight, perm=[1, 0]))
    return b.add("Add", product, *bias) if bias else product


@rule("matmul")
def _matmul(b: Builder, step: Step) -> str:
    return b.add("MatMul", step.cast(0), step.cast(1))


@rule("einsum")
def _einsum(b: Builder, step: Step) -> str:
    subscripts: str = step.params["subscripts"]
    values = [step.input(i) for i in range(len(step.inputs))]
    lengths: dict[str, int] = {}
    for value, labels in zip(values, subscripts.split("->")[0].split(","), strict=True):
        for label, n in zip(labels, value.shape, strict=True):
            if lengths.setdefault(label, n) != n:
                raise step.failed(f"the axis {label!r} of length 1 is broadcast")
    operands = [step.cast(i) for i in range(len(values))]
    return b.add("Einsum", *operands, equation=subscripts)


@rule("vecdot")
def _vecdot(b: Builder, step: Step) -> str:
    product = b.add("Mul", step.cast(0), step.cast(1))
    return reduced(b, "ReduceSum", product, [-1], False)


@rule("det")
def _det(b: Builder, step: Step) -> str:
    return b.add("Det", step.cast())


@rule("layer_norm")
def _layer_norm(b: Builder, step: Step) -> str:
    x, axes, eps = step.input(), int(step.params["axes"]), float(step.params["eps"])
    shape = x.shape[x.rank - axes :]
    if not x.fixed(range(x.rank - axes, x.rank)):
        raise step.failed("it normalises over the batch")
    weight = step.cast(1) if _there(step, 1) else b.add("Expand", step.number(1), b.whole(*shape))
    bias = [step.cast(2)] if _there(step, 2) else []
    return b.add("LayerNormalization", step.cast(), weight, *bias, axis=-axes, epsilon=eps)


@rule("batch_norm")
def _batch_norm(b: Builder, step: Step) -> str:
    """With the moments of the batch, as where no running ones are tracked."""
    x, n = step.cast(), step.input().rank
    axes = [0, *range(2, n)]
    away = b.add("Sub", x, reduced(b, "ReduceMean", x, axes, True))
    variance = reduced(b, "ReduceMean", b.add("Mul", away, away), axes, True)
    root = b.add("Sqrt", b.add("Add", variance, step.number(step.params["eps"])))
    return _affine(b, step, b.add("Div", away, root))


@rule("group_norm")
def _group_norm(b: Builder, step: Step) -> str:
    """As instances whose channels are the groups; GroupNormalization came with opset 18."""
    x, groups = step.cast(), int(step.params["groups"])
    vectors = (b.constant([n] * groups, step.out.dtype) for n in (1, 0))
    rows = b.add("Reshape", x, b.whole(0, groups, -1))
    epsilon = float(step.params["eps"])
    out = b.add("InstanceNormalization", rows, *vectors, epsilon=epsilon)
    return _affine(b, step, b.add("Reshape", out, b.add("Shape", x)))


def _affine(b: Builder, step: Step, out: str) -> str:
    """Times the weight of each channel, and plus its bias, as far as they are there."""
    n = step.input().rank
    for i, op in ((1, "Mul"), (2, "Add")):
        if _there(step, i):
            each = b.whole(*range(1, n - 1))
            part = b.add("Unsqueeze", step.cast(i), each) if n > 2 else step.cast(i)
            out = b.add(op, out, part)
    return out


def _there(step: Step, i: int) -> bool:
    return len(step.inputs) > i and step.inputs[i] is not None
