"""Clusters of atoms that say the same, and how many chains say it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from abaci.aggregation.atoms import Atom
from abaci.aggregation.embedding import Embedder, Vectors
from abaci.aggregation.signature import signature
from abaci.types import Value


class AtomCluster(Value):
    """Atoms that say the same. `text` is the most central of them; `chains` are the different ones that say it."""

    text: str
    chains: tuple[int, ...]
    place: float
    """Mean place in the chains, from 0 to 1."""


def cluster_atoms(atoms: Sequence[Atom], embedder: Embedder, max_distance: float | None = None) -> list[AtomCluster]:
    """Clusters by place: average linkage up to a cosine distance, within atoms of the same `signature`.

    Two atoms that differ in a number, sign, relation, unknown or negation are never in one cluster, however close their
    vectors. The result does not depend on the order of `atoms`.
    """
    limit = embedder.max_distance if max_distance is None else max_distance
    groups: dict[tuple[str, ...], list[Atom]] = {}
    for atom in sorted(atoms, key=lambda atom: (atom.chain, atom.place)):
        groups.setdefault(signature(atom.text), []).append(atom)
    ordered = [atom for group in groups.values() for atom in group]
    vectors = embedder.embed([atom.text for atom in ordered])
    clusters: list[AtomCluster] = []
    start = 0
    for group in groups.values():
        clusters += _cluster_group(group, vectors[start : start + len(group)], limit)
        start += len(group)
    return sorted(clusters, key=lambda cluster: (cluster.place, cluster.text))


def _cluster_group(atoms: Sequence[Atom], vectors: Vectors, limit: float) -> Iterable[AtomCluster]:
    similarity = vectors @ vectors.T
    if len(atoms) == 1:
        labels = np.ones(1, dtype=int)
    else:
        distance = np.clip(1.0 - similarity, 0.0, 2.0)
        np.fill_diagonal(distance, 0.0)
        labels = fcluster(linkage(squareform(distance, checks=False), "average"), limit, "distance")
    for label in sorted(set(labels.tolist())):
        members = np.flatnonzero(labels == label)
        central = max(
            members, key=lambda member: (float(similarity[member, members].mean()), len(atoms[member].text), -member)
        )
        yield AtomCluster(
            text=atoms[central].text,
            chains=tuple(sorted({atoms[member].chain for member in members})),
            place=fmean(atoms[member].place for member in members),
        )
