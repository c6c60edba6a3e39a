"""LeNet: two convolutions, two poolings, three dense layers, softmax cross-entropy and SGD."""

import numpy as np

NAME = "LeNet, a training step, 64 images of 28 x 28, float32"
LIMIT = 2.0
MEMORY_LIMIT = 2.0


def data():
    rng = np.random.default_rng(0)
    images = rng.random((64, 1, 28, 28), np.float32)
    shapes = [(6, 1, 5, 5), (16, 6, 5, 5), (120, 400), (84, 120), (10, 84)]
    values = []
    for shape in shapes:
        bound = np.prod(shape[1:]) ** -0.5
        values += [rng.uniform(-bound, bound, s).astype(np.float32) for s in (shape, shape[:1])]
    return images, rng.integers(0, 10, 64), values


def network(nn):
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, 10),
    )


def stepper(nn, optim, model, images, labels):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    def step():
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def ours():
    import tinygrad_bp as tg

    images, labels, values = data()
    model = network(tg.nn)
    model.load_state_dict(dict(zip(model.state_dict(), values)))
    return stepper(tg.nn, tg.optim, model, tg.Tensor(images), labels)


def theirs():
    import torch

    images, labels, values = data()
    model = network(torch.nn)
    names = zip(model.state_dict(), map(torch.from_numpy, values))
    model.load_state_dict(dict(names))
    images, labels = torch.from_numpy(images), torch.from_numpy(labels)
    return stepper(torch.nn, torch.optim, model, images, labels)
