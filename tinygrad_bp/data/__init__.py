"""Datasets from files of all usual kinds, their download, and batches of them."""

from tinygrad_bp.data import transforms
from tinygrad_bp.data.collate import collate
from tinygrad_bp.data.collection import Collection, Examples
from tinygrad_bp.data.dataset import Dataset, Subset, TensorDataset, random_split
from tinygrad_bp.data.digits import load_digits
from tinygrad_bp.data.download import download_mnist
from tinygrad_bp.data.ex4 import load_ex4, load_ex4_weights
from tinygrad_bp.data.idx import read_idx
from tinygrad_bp.data.loader import DataLoader
from tinygrad_bp.data.mnist import load_mnist
from tinygrad_bp.data.pickled import read_pickled_arrays
from tinygrad_bp.data.report import describe_mnist
from tinygrad_bp.data.sequences import LengthBatches, PadCollate, pad_sequences

__all__ = [
    "Collection",
    "DataLoader",
    "Dataset",
    "Examples",
    "LengthBatches",
    "PadCollate",
    "Subset",
    "TensorDataset",
    "collate",
    "describe_mnist",
    "download_mnist",
    "load_digits",
    "load_ex4",
    "load_ex4_weights",
    "load_mnist",
    "pad_sequences",
    "random_split",
    "read_idx",
    "read_pickled_arrays",
    "transforms",
]
