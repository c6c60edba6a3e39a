from __future__ import annotations

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
from told import here, told

import tinygrad_bp as tg
from tinygrad_bp.core.mode import MODE
from tinygrad_bp.errors import (
    ArgumentError,
    DTypeError,
    InplaceError,
    NonFiniteError,
    a_kind,
)
from tinygrad_bp.nn import Buffer, Dropout, Identity, Linear, Module, Parameter, Sequential


class Net(Module):
    def __init__(self):
        self.scale = Parameter([2.0])
        self.layers = [Linear(3, 4, generator=0), {"a": Linear(4, 2, generator=1)}]
        self.pair = (Parameter([1.0, 1.0]),)
        self.mean = Buffer([0.5])
        self.constant = tg.Tensor([7.0])
        self.drop = Dropout(0.5, generator=2)

    def forward(self, x):
        h = self.layers[0](x) * self.scale
        return self.layers[1]["a"](self.drop(h)) + self.pair[0]


NAMES = [
    "scale",
    "layers.0.weight",
    "layers.0.bias",
    "layers.1.a.weight",
    "layers.1.a.bias",
    "pair.0",
]
X = np.linspace(-1, 1, 15).reshape(5, 3)


def test_parameters_are_found_in_attributes_lists_tuples_and_dicts_in_order_of_definition():
    assert [name for name, _ in Net().named_parameters()] == NAMES


def test_modules_and_children_have_dotted_names():
    net = Net()
    assert [n for n, _ in net.named_modules()] == ["", "layers.0", "layers.1.a", "drop"]
    assert next(net.modules()) is net
    model = Sequential(Sequential(Identity()), Identity())
    assert [n for n, _ in model.named_children()] == ["0", "1"]
    assert [n for n, _ in model.named_modules()] == ["", "0", "0.0", "1"]


def test_a_parameter_that_is_reached_twice_counts_once_under_its_first_name():
    net = Module()
    net.first = Linear(2, 2)
    net.again = net.first
    net.tied = [net.first.weight]
    assert [name for name, _ in net.named_parameters()] == ["first.weight", "first.bias"]
    assert len(list(Sequential(*[Linear(2, 2)] * 3).parameters())) == 2


def test_cycles_of_modules_and_containers_end():
    net = Module()
    net.w = Parameter([1.0])
    net.me = net
    net.loop = []
    net.loop.append(net.loop)
    net.table = {"net": net, "loop": net.loop}
    assert [name for name, _ in net.named_parameters()] == ["w"]
    assert "..." in repr(net)


def test_a_leaf_tensor_that_requires_a_gradient_counts_and_other_tensors_do_not():
    net = Module()
    net.w = tg.Tensor([1.0], requires_grad=True)
    net.c = tg.Tensor([1.0])
    net.last = net.w * 2
    assert [name for name, _ in net.named_parameters()] == ["w"]
    assert list(net.state_dict()) == ["w"]


def test_a_frozen_parameter_stays_part_of_the_state():
    net = Net()
    net.scale.requires_grad_(False)
    assert "scale" in dict(net.named_parameters())
    assert "scale" in net.state_dict()
    assert "scale" not in net.unused_parameters()


def test_two_parts_of_one_name_are_refused():
    net = Module()
    net.table = {1: Parameter([1.0]), "1": Parameter([2.0])}
    with pytest.raises(ArgumentError, match="two parts of Module have the same name"):
        list(net.named_parameters())


def test_train_and_eval_reach_every_module_and_return_the_module():
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    assert net.train() is net
    assert all(m.training for m in net.modules())


@pytest.mark.parametrize("mode", ["no", None, 1, [True]])
def test_a_mode_is_true_or_false(mode):
    net = Net()
    with pytest.raises(ArgumentError) as caught:
        net.train(mode)
    told(caught, f"train() takes True or False, not {mode!r}", here(-1), fix="eval()")
    assert not net.train(np.False_).training


def test_zero_grad_and_unused_parameters():
    net = Net().eval()
    assert list(net.unused_parameters()) == NAMES
    net.layers[0](X).sum().backward()
    assert list(net.unused_parameters()) == ["scale", *NAMES[3:]]
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_buffers_are_named():
    assert [name for name, _ in Net().named_buffers()] == ["mean"]


def test_generators_are_named_and_their_state_continues_the_stream():
    net = Net()
    ((path, generator),) = net.generators()
    assert path == "drop.generator"
    state = generator.bit_generator.state
    first = net(X).data
    generator.bit_generator.state = state
    np.testing.assert_array_equal(net(X).data, first)


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module has no forward method"):
        Module()(1)


def test_the_mode_knows_the_module_and_is_put_back_after_an_error():
    before = MODE.get()
    seen = []

    class Inner(Module):
        def forward(self, x):
            seen.append(MODE.get().path())
            raise KeyError(x)

    class Outer(Module):
        def __init__(self):
            self.parts = {"inner": Inner()}

        def forward(self, x):
            return self.parts["inner"](x)

    with pytest.raises(KeyError):
        Outer()(1)
    assert seen == ["Outer.parts.inner"]
    assert MODE.get() is before


def test_nodes_know_the_module_that_made_them_and_recording_is_inherited():
    net = Sequential(Identity(), Linear(3, 2))
    assert net(X).node.mode.path() == "Sequential.1"
    with tg.no_grad():
        assert net(X).node is None
        assert not net(X).requires_grad
    assert net(X).requires_grad


def test_anomaly_errors_name_the_module():
    class Log(Module):
        def forward(self, x):
            return np.log(x)

    net = Sequential(Identity(), Log())
    x = tg.Tensor([0.0], requires_grad=True)
    with (
        tg.detect_anomaly(),
        np.errstate(all="ignore"),
        pytest.raises(NonFiniteError, match=r"in Sequential\.1"),
    ):
        net(x)


def test_keyword_arguments_reach_forward():
    class Shift(Module):
        def forward(self, x, *, by=0):
            return x + by

    assert Shift()(1, by=2) == 3


def test_a_module_dies_with_its_last_reference_also_after_a_backward_pass():
    gc.collect()
    gc.disable()
    try:
        net = Sequential(Linear(3, 2), Linear(2, 1))
        loss = net(X).sum()
        loss.backward()
        dead = weakref.ref(net[0])
        del net, loss
        assert dead() is None
    finally:
        gc.enable()


def test_a_forward_hook_sees_and_replaces_until_it_is_removed():
    calls = []

    def hook(module, inputs, output):
        calls.append((module, inputs, output))
        return output * 10

    layer = Identity()
    handle = layer.register_forward_hook(hook)
    assert layer(2) == 20
    assert calls == [(layer, (2,), 2)]
    handle.remove()
    handle.remove()
    assert layer(2) == 2
    assert len(calls) == 1


def test_a_forward_pre_hook_replaces_one_input_or_all():
    class Add(Module):
        def forward(self, a, b=0):
            return a + b

    layer = Add()
    handle = layer.register_forward_pre_hook(lambda module, inputs: inputs[0] + 1)
    assert layer(1) == 2
    handle.remove()
    layer.register_forward_pre_hook(lambda module, inputs: (5, 6))
    assert layer(1) == 11
    layer.register_forward_pre_hook(lambda module, inputs: None)
    assert layer(1) == 11


def test_hooks_run_in_order_and_one_may_remove_itself():
    layer = Identity()
    seen = []
    handles = []

    def once(module, inputs, output):
        seen.append("once")
        handles[0].remove()

    handles.append(layer.register_forward_hook(once))
    layer.register_forward_hook(lambda *_: seen.append("second"))
    layer(1)
    layer(1)
    assert seen == ["once", "second", "second"]


@pytest.mark.parametrize("hook", [3, None, "print", Parameter([1.0])])
def test_a_hook_is_a_function(hook):
    layer = Identity()
    with pytest.raises(ArgumentError) as caught:
        layer.register_forward_hook(hook)
    told(
        caught,
        f"register_forward_hook takes a function of (module, inputs, output), not {a_kind(hook)}",
        here(-4),
        fix="register_forward_hook(lambda module, inputs, output: None).",
    )
    with pytest.raises(ArgumentError) as caught:
        layer.register_forward_pre_hook(hook)
    fix = "register_forward_pre_hook(lambda module, inputs: None)."
    told(caught, "a function of (module, inputs), not ", here(-2), fix=fix)
    assert layer(1) == 1


def test_hooks_belong_to_one_instance_and_a_module_as_hook_is_no_part():
    first, second = Identity(), Identity()
    watcher = Linear(1, 1)
    first.register_forward_hook(lambda *_: 0)
    first.register_forward_pre_hook(watcher.forward)
    assert second(3) == 3
    assert not list(first.parameters())


DUPLICATES = [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]


@pytest.mark.parametrize("duplicate", DUPLICATES)
@pytest.mark.parametrize("ran", [False, True])
def test_a_copy_computes_the_same_and_shares_nothing(duplicate, ran):
    net = Net()
    if ran:
        net.last = net(X)
        net.last.sum().backward(retain_graph=True)
        net.register_forward_hook(lambda *_: None)
    twin = duplicate(net)
    assert [name for name, _ in twin.named_parameters()] == NAMES
    for (_, p), (_, q) in zip(net.named_parameters(), twin.named_parameters(), strict=True):
        assert type(q) is Parameter
        assert not np.shares_memory(p.data, q.data)
        assert (p.grad is None) == (q.grad is None)
        if ran:
            np.testing.assert_array_equal(p.grad.data, q.grad.data)
    np.testing.assert_array_equal(net(X).data, twin(X).data)
    twin(X).sum().backward()
    twin.scale.assign(0)
    assert net.scale.data[0] == 2.0


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_module_that_holds_the_handle_of_a_hook_is_copied_without_the_hook(duplicate):
    net = Identity()
    net.handle = net.register_forward_hook(lambda *_: 0)
    twin = duplicate(net)
    twin.handle.remove()
    assert twin(3) == 3
    assert net(3) == 0
    net.handle.remove()
    assert net(3) == 3


@pytest.mark.parametrize("duplicate", DUPLICATES)
def test_a_copy_keeps_what_is_shared_shared(duplicate):
    net = Module()
    net.a = Linear(2, 2)
    net.b = net.a.weight
    twin = duplicate(net)
    assert twin.b is twin.a.weight


def test_a_copy_of_a_module_keeps_its_mode_and_random_streams():
    net = Sequential(Dropout(0.5, generator=0)).eval()
    twin = copy.deepcopy(net)
    assert not twin[0].training
    twin.train()
    net.train()
    np.testing.assert_array_equal(net(np.ones(50)).data, twin(np.ones(50)).data)


def test_astype_changes_parameters_and_buffers_and_drops_gradients():
    net = Net().eval()
    net.count = Buffer([1, 2])
    net(X).sum().backward()
    assert net.astype(np.float32) is net
    assert {str(p.dtype) for p in net.parameters()} == {"float32"}
    assert net.mean.dtype == np.float32
    assert net.count.dtype.kind == "i"
    assert list(net.unused_parameters()) == NAMES
    net(X.astype(np.float32)).sum().backward()
    assert net.scale.grad.dtype == np.float32


def test_astype_refuses_other_than_floating_point_and_changes_nothing():
    net = Linear(2, 1)
    with pytest.raises(DTypeError, match="float32 or float64, not <class 'int'>"):
        net.astype(int)
    assert net.weight.dtype == np.float32


def test_a_graph_from_before_astype_is_an_error_and_no_wrong_number():
    net = Linear(3, 1)
    loss = net(X.astype(np.float32)).sum()
    net.astype(np.float64)
    with pytest.raises(InplaceError, match="weight"):
        loss.backward()


def test_repr_is_nested():
    class Block(Module):
        def __init__(self):
            self.inner = Sequential(Linear(2, 3), np.tanh)
            self.rest = [Identity()]

    assert repr(Block()) == (
        "Block(\n"
        "  (inner): Sequential(\n"
        "    (0): Linear(2, 3)\n"
        "    (1): <ufunc 'tanh'>\n"
        "  )\n"
        "  (rest.0): Identity()\n"
        ")"
    )
    assert repr(Module()) == "Module()"
