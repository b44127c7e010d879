"""Codecs whose answers are known."""

from typing import final

import numpy as np
import pytest


@final
class Linear:
    """x = z A + 0.5, with the pseudo-inverse as its encoder; pictures where a shape is given."""

    def __init__(self, a: np.ndarray, shape: tuple[int, ...] = ()):
        self.a = a
        self.shape = shape or (a.shape[1],)

    def encode(self, x: np.ndarray, /) -> np.ndarray:
        return ((x.reshape(len(x), -1) - 0.5) @ np.linalg.pinv(self.a)).astype(np.float32)

    def decode(self, z: np.ndarray, /) -> np.ndarray:
        return (z @ self.a + 0.5).reshape(-1, *self.shape).astype(np.float32)


@final
class Squares:
    """x = z², whose distances along a line grow with the distance from the origin."""

    def encode(self, x: np.ndarray, /) -> np.ndarray:
        return np.sqrt(x)

    def decode(self, z: np.ndarray, /) -> np.ndarray:
        return z**2

    def realism(self, x: np.ndarray, /) -> np.ndarray:
        return np.abs(x).mean(axis=1)

    def features(self, x: np.ndarray, /) -> np.ndarray:
        return x**2


@pytest.fixture
def linear() -> Linear:
    return Linear(np.array([[0.1, 0.0, 0.3], [0.0, 0.2, -0.1]], np.float32))


@pytest.fixture
def squares() -> Squares:
    return Squares()
