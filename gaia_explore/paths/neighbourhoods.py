"""Which codes of the data are neighbours, and the shortest ways along them."""

from functools import cached_property
from typing import TYPE_CHECKING, final

import numpy as np
from jaxtyping import Float32, Float64, Integer, Shaped
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors


@final
class Neighbourhood:
    """The codes of data, and the graph that joins each to its nearest others. Searched and joined when first asked.

    Where the graph falls apart, its pieces are bridged by their nearest pairs of codes, so that there is always a way.

    Parameters
    ----------
    codes
        Latent codes, (n, d).
    n_neighbours
        How many others each code is joined to, at least 1. Few keep ways near the data; many make them shorter.

    Source: the neighbourhood graph of Tenenbaum, de Silva & Langford 2000 (Isomap), with bridges.
    """

    def __init__(self, codes: Shaped[np.ndarray, "..."], *, n_neighbours: int = 10):
        codes = np.array(codes, np.float32)
        if codes.ndim != 2 or not codes.size:
            raise ValueError(f"codes must be at least 1 code, (n, d), got shape {codes.shape}")
        if not np.isfinite(codes).all():
            raise ValueError(f"codes must be finite, got NaN or infinity at row {_first_row(codes)}")
        if n_neighbours < 1:
            raise ValueError(f"n_neighbours must be at least 1, got {n_neighbours}")
        codes.setflags(write=False)
        self.codes: Float32[np.ndarray, "n d"] = codes
        self.n_neighbours = n_neighbours

    @cached_property
    def centre(self) -> Float64[np.ndarray, " d"]:
        """The mean of the codes."""
        return self.codes.mean(axis=0, dtype=np.float64)

    def distance(self, z: Shaped[np.ndarray, "m d"]) -> Float64[np.ndarray, " m"]:
        """Euclidean distance from each code to the nearest of the data."""
        z = np.asarray(z, np.float64)
        nodes, _ = self._nodes
        (nearest,) = self._nearest(z, 1).T
        # Once more without the search's shortcuts, which make the distance to a code itself more than 0.
        return np.linalg.norm(z - nodes[nearest], axis=1)

    def route(self, start: Shaped[np.ndarray, " d"], end: Shaped[np.ndarray, " d"]) -> Integer[np.ndarray, " r"]:
        """Rows of the codes on the shortest way from one code to another, in order; both may be codes of no data.

        ``start`` and ``end`` are joined to as many neighbours as every code is, and to each other where no more than
        these are nearer. Of equal codes, the first row stands for all.
        """
        nodes, rows = self._nodes
        ends = np.stack([start, end]).astype(np.float64)
        near = self._nearest(ends, min(self.n_neighbours, len(nodes)))
        lengths = np.linalg.norm(ends[:, None] - nodes[near], axis=2)
        apart = np.linalg.norm(ends[0] - ends[1])
        first, last = len(nodes), len(nodes) + 1
        joined = np.repeat([first, last], near.shape[1]), near.ravel(), lengths.ravel()
        direct = ([first], [last], [apart]) if (lengths < apart).sum(1).min() < self.n_neighbours else ([], [], [])
        sources, targets, weights = map(np.concatenate, zip(self._edges, joined, direct, strict=True))
        edges = sources.astype(np.int64), targets.astype(np.int64)
        graph = csr_array((weights, edges), shape=(last + 1, last + 1))
        _, before = dijkstra(graph, directed=False, indices=first, return_predecessors=True)
        passed = []
        node = before[last]
        while node != first:
            passed.append(rows[node])
            node = before[node]
        return np.array(passed[::-1], dtype=np.int64)

    def way(self, start: Shaped[np.ndarray, " d"], end: Shaped[np.ndarray, " d"]) -> Float64[np.ndarray, "v d"]:
        """The codes at the corners of the shortest way, ends included, none twice in a row."""
        ends = np.stack([start, end]).astype(np.float64)
        corners = np.concatenate([ends[:1], self.codes[self.route(start, end)].astype(np.float64), ends[1:]])
        moved = np.any(np.diff(corners, axis=0) != 0, axis=1)
        return corners[np.append(True, moved)]

    @cached_property
    def _nodes(self) -> tuple[Float64[np.ndarray, "m d"], Integer[np.ndarray, " m"]]:
        """The different codes, and the first row of each: equal codes would be neighbours of nothing else."""
        nodes, rows = np.unique(self.codes, axis=0, return_index=True)
        return nodes.astype(np.float64), rows

    def _nearest(self, z: Float64[np.ndarray, "m d"] | None, k: int) -> Integer[np.ndarray, "m k"]:
        """The nearest nodes to codes, or to the nodes themselves, without each itself."""
        return np.asarray(self._search.kneighbors(z, k, return_distance=False), np.int64)

    @cached_property
    def _search(self) -> "NearestNeighbors":
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors().fit(self._nodes[0])

    @cached_property
    def _edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sources, targets and lengths of a graph in one piece; each edge in at least one of its directions."""
        nodes, _ = self._nodes
        n = len(nodes)
        k = min(self.n_neighbours, n - 1)
        if k == 0:
            empty = np.zeros(0, dtype=np.int64)
            return empty, empty, np.zeros(0)
        targets = self._nearest(None, k).ravel()
        sources = np.repeat(np.arange(n), k)
        while True:
            graph = csr_array((np.ones(len(sources)), (sources, targets)), shape=(n, n))
            count, piece = connected_components(graph, directed=False)
            if count == 1:
                break
            # Every piece but the largest is joined to what is nearest to it: each round halves their number.
            largest = np.bincount(piece).argmax()
            bridges = [_bridge(nodes, piece == number) for number in range(count) if number != largest]
            sources = np.concatenate([sources, [source for source, _ in bridges]])
            targets = np.concatenate([targets, [target for _, target in bridges]])
        blocks = np.array_split(np.arange(len(sources)), max(1, len(sources) // 2**14))
        lengths = [np.linalg.norm(nodes[sources[edges]] - nodes[targets[edges]], axis=1) for edges in blocks]
        return sources, targets, np.concatenate(lengths)


def _bridge(nodes: Float64[np.ndarray, "m d"], inside: Shaped[np.ndarray, " m"]) -> tuple[int, int]:
    """The nearest pair of a node inside a piece and a node outside of it."""
    from sklearn.metrics import pairwise_distances_argmin_min

    within, without = np.flatnonzero(inside), np.flatnonzero(~inside)
    nearest, distances = pairwise_distances_argmin_min(nodes[within], nodes[without])
    row = int(np.argmin(distances))
    return int(within[row]), int(without[nearest[row]])


def _first_row(codes: Float32[np.ndarray, "n d"]) -> int:
    return int(np.argwhere(~np.isfinite(codes))[0, 0])
