"""`Projection`: base forecasts onto the coherent ones, the nearest in the metric of W.

N series, P parents, M leaves, K columns (moments and levels), A leaves that are held at a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from forecast.reconciliation.family import Doubles, Family, Ints, Sparse


@dataclass(frozen=True, eq=False)
class Projection:
    """y − W C'(C W C')⁻¹ C y, of which only the leaves are taken: parents are their sums.

    Of P unknowns and not of M as in the textbook's (S'W⁻¹S)⁻¹S'W⁻¹, which it equals; W needs no inverse.

    Attributes:
        family: the family; C are its constraints.
        weight_MM: W among the leaves; sparse where W is diagonal.
        across_MP: W C' of the leaves.
        solve: from [P, K] to (C W C')⁻¹ of it.

    Source: Wickramasuriya, Athanasopoulos and Hyndman (2019), equation 12 and its appendix.
    """

    family: Family
    weight_MM: Sparse
    across_MP: Sparse
    solve: Callable[[Doubles], Doubles]

    @classmethod
    def of(cls, family: Family, weight: Doubles) -> Self:
        """For W [N] (a diagonal) or [N, N]."""
        constraints_PN, parents = family.constraints_PN, len(family.parents)
        weight = weight / (np.diag(weight) if weight.ndim == 2 else weight).mean()
        if weight.ndim == 1:
            weight_NN = sparse.diags_array(weight).tocsr()
            across_NP = (weight_NN @ constraints_PN.T).tocsr()
            factor = splu((constraints_PN @ across_NP).tocsc())
            return cls(family, weight_NN[parents:, parents:], across_NP[parents:], factor.solve)
        across_NP = (constraints_PN @ weight).T
        chol = linalg.cho_factor(constraints_PN @ across_NP)
        return cls(
            family, weight[parents:, parents:], across_NP[parents:], lambda gap_PK: linalg.cho_solve(chol, gap_PK)
        )

    def leaves(self, base_NK: Doubles) -> Doubles:
        """The leaves [M, K] of the nearest coherent values, without bounds."""
        gap_PK = self.family.constraints_PN @ base_NK
        return np.asarray(base_NK[len(self.family.parents) :] - self.across_MP @ self.solve(gap_PK))

    def covariance(self, held_A: Ints) -> Doubles:
        """Columns [M, A] of the covariance that the reconciled leaves have where base errors have W."""
        own_MA, across_PA = self.weight_MM[:, held_A], self.across_MP[held_A].T
        if sparse.issparse(own_MA):
            own_MA, across_PA = own_MA.toarray(), across_PA.toarray()
        return np.asarray(own_MA - self.across_MP @ self.solve(np.ascontiguousarray(across_PA)))
