"""Cases of `tinygrad_bp.ops.special`; the references are SciPy's own functions on arrays."""

from __future__ import annotations

import numpy as np
from scipy import special

from tinygrad_bp.ops.special import load
from tinygrad_bp.testing.catalogue.case import Case

load()

SINGLES = (((3,),), ((2, 3),), ((),), ((0, 2),))
PAIRS = (((3,), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((), ()), ((0,), (1,)))
ABOVE_ZERO = (0.3, 3.0)
INSIDE = (0.1, 0.9)


def _one(ufunc, *domain, label="", kinks=(), complex_step=False):
    return Case(
        f"special.{ufunc.__name__}",
        ufunc,
        SINGLES,
        domains=(domain,) if domain else (),
        kinks=kinks,
        complex_step=complex_step,
        label=label,
    )


def _two(ufunc, *domains, label="", kinks=(), complex_step=False):
    return Case(
        f"special.{ufunc.__name__}",
        ufunc,
        PAIRS,
        domains=domains,
        kinks=kinks,
        complex_step=complex_step,
        label=label,
    )


def _last(ufunc, *fixed, domain=ABOVE_ZERO, label=""):
    """In the last argument, the others being numbers."""
    words = ", ".join(f"{a:g}" for a in fixed)
    return Case(
        f"special.{ufunc.__name__}",
        lambda x: ufunc(*fixed, x),
        SINGLES,
        domains=(domain,),
        label=label or words,
    )


def _first(ufunc, second, *, domain):
    """In the first argument, the second being a number."""
    return Case(
        f"special.{ufunc.__name__}",
        lambda x: ufunc(x, second),
        SINGLES,
        domains=(domain,),
        label=f"to {second:g}",
    )


ERRORS = [
    *(_one(f, complex_step=True) for f in (special.erf, special.erfc, special.erfi)),
    _one(special.erfcx, complex_step=True),
    _one(special.erfcx, 26.0, 60.0, label="far out"),
    _one(special.dawsn, complex_step=True),
    _one(special.dawsn, 26.0, 60.0, label="far out"),
    _one(special.dawsn, -60.0, -26.0, label="far out below zero"),
    _one(special.erfinv, -0.9, 0.9),
    _one(special.erfcinv, 0.1, 1.9),
    _one(special.ndtr, -6.0, 6.0),
    _one(special.ndtri, *INSIDE),
    _one(special.log_ndtr, -6.0, 6.0),
    _one(special.log_ndtr, -60.0, -20.0, label="far below zero"),
    _one(special.ndtri_exp, -4.0, -0.2),
    _one(special.expit, -8.0, 8.0),
    _one(special.logit, *INSIDE),
    _one(special.log_expit, -8.0, 8.0),
    _two(special.owens_t),
]
GAMMA = [
    _one(special.gamma, *ABOVE_ZERO, complex_step=True),
    _one(special.gamma, -2.8, -2.2, label="below zero"),
    _one(special.gammaln, *ABOVE_ZERO),
    _one(special.gammaln, -2.8, -2.2, label="below zero"),
    _one(special.loggamma, *ABOVE_ZERO, complex_step=True),
    _one(special.rgamma, *ABOVE_ZERO, complex_step=True),
    _one(special.rgamma, -2.5, 0.5, label="through its zeros"),
    _one(special.psi, *ABOVE_ZERO),
    _one(special.psi, -2.8, -2.2, label="below zero"),
    Case(
        "special._zeta",
        lambda x: special.zeta(2.5, x),
        SINGLES,
        domains=(ABOVE_ZERO,),
        label="Hurwitz",
    ),
    _two(special.beta, ABOVE_ZERO, ABOVE_ZERO),
    _two(special.betaln, ABOVE_ZERO, ABOVE_ZERO),
    _two(special.betaln, (-0.7, -0.3), (2.0, 3.0), label="from below to above zero"),
    _two(special.betaln, (200.0, 900.0), ABOVE_ZERO, label="of unlike sizes"),
    _two(special.poch, ABOVE_ZERO, ABOVE_ZERO),
    _two(special.poch, (-2.7, -2.3), (0.8, 1.2), label="below zero"),
    _first(special.poch, 3.0, domain=(-3.4, 0.4)),
    _first(special.poch, 0.5, domain=(-1.2, -0.8)),
    _two(special.binom, (3.2, 5.0), (0.3, 2.0)),
    _first(special.binom, 3.0, domain=(-0.4, 2.4)),
    _last(special.binom, 2.0, domain=(-3.4, 5.4)),
]
INCOMPLETE = [
    _last(special.gammainc, 2.5),
    _last(special.gammainc, 0.5),
    _last(special.gammaincc, 2.5),
    _last(special.gammaincinv, 2.5, domain=INSIDE),
    _last(special.gammainccinv, 2.5, domain=INSIDE),
    _last(special.betainc, 2.5, 1.5, domain=INSIDE),
    _last(special.betaincc, 2.5, 1.5, domain=INSIDE),
    _last(special.betaincinv, 2.5, 1.5, domain=INSIDE),
    _last(special.betainccinv, 2.5, 1.5, domain=INSIDE),
    _last(special.stdtr, 4.0, domain=(-3.0, 3.0)),
    _last(special.stdtrit, 4.0, domain=INSIDE),
    _last(special.chdtr, 3.0),
    _last(special.chdtrc, 3.0),
    _last(special.gdtr, 1.5, 2.5),
    Case(
        "special.gdtr",
        lambda a, x: special.gdtr(a, 2.5, x),
        PAIRS,
        domains=(ABOVE_ZERO, ABOVE_ZERO),
        label="in a and x",
    ),
    _last(special.gdtrc, 1.5, 2.5),
    _last(special.pdtr, 2.0),
    _last(special.pdtrc, 2.0),
    _last(special.fdtr, 3.0, 5.0),
    _last(special.fdtrc, 3.0, 5.0),
]
BESSEL = [
    *(_one(f, -4.0, 9.0) for f in (special.j0, special.j1)),
    *(_one(f, 0.5, 9.0) for f in (special.y0, special.y1, special.k0, special.k1)),
    *(_one(f, 0.5, 9.0) for f in (special.k0e, special.k1e)),
    *(_one(f, -3.0, 3.0) for f in (special.i0, special.i1)),
    *(_one(f, -9.0, 9.0, kinks=((0.0,),)) for f in (special.i0e, special.i1e)),
    _last(special.jv, 0.5, domain=(0.5, 9.0)),
    _last(special.jv, 0, domain=(-4.0, 4.0)),
    _last(special.yv, 1.5, domain=(0.5, 9.0)),
    _last(special.yn, 2, domain=(0.5, 9.0)),
    _last(special.kn, 2, domain=(0.5, 9.0)),
    _last(special.kn, 0, domain=(0.5, 9.0)),
    _last(special.kv, 1.5, domain=(0.5, 9.0)),
    _last(special.kve, 1.5, domain=(0.5, 9.0)),
    _last(special.iv, 1.5, domain=(0.5, 3.0)),
    _last(special.ive, 1.5, domain=(0.5, 9.0)),
    _last(special.ive, 1, domain=(-9.0, -0.5)),
    *(_one(f, 2e5, 9e5, label="far out") for f in (special.i0e, special.i1e)),
    *(_one(f, 2e5, 9e5, label="far out") for f in (special.k0e, special.k1e)),
    *(_last(f, 2, domain=(2e5, 9e5), label="far out") for f in (special.ive, special.kve)),
    _last(special.struve, 1.5, domain=(0.5, 9.0)),
    _last(special.struve, 1.5, domain=(11.0, 30.0), label="far out"),
    _last(special.struve, 0, domain=(-2.0, 2.0)),
    _last(special.modstruve, 1.5, domain=(0.5, 3.0)),
    _last(special.modstruve, 0, domain=(-2.0, 2.0)),
]
ENTROPY = [
    _two(special.xlogy, (-2.0, 2.0), ABOVE_ZERO, complex_step=True),
    _two(special.xlog1py, (-2.0, 2.0), (-0.6, 2.0), complex_step=True),
    _one(special.entr, *ABOVE_ZERO),
    _two(special.rel_entr, ABOVE_ZERO, ABOVE_ZERO),
    _two(special.kl_div, ABOVE_ZERO, ABOVE_ZERO),
    _two(special.huber, (0.4, 0.6), (0.7, 2.0), label="beyond"),
    _two(special.huber, (1.1, 1.6), (-1.0, 1.0), label="within"),
    _two(special.pseudo_huber, (0.4, 2.0), (-2.0, 2.0)),
]
HYPERGEOMETRIC = [
    _last(special.hyp0f1, 1.5, domain=(-2.0, 2.0)),
    _last(special.hyp1f1, 0.5, 1.5, domain=(-2.0, 2.0)),
    _last(special.hyp2f1, 0.5, 1.5, 2.5, domain=(-0.7, 0.7)),
    _last(special.hyperu, 0.5, 1.5),
    _one(special.exp1, *ABOVE_ZERO),
    _one(special.expi, *ABOVE_ZERO),
    _last(special.expn, 3),
    _last(special.expn, 0),
]
SIMPLE = [
    Case("cbrt", special.cbrt, SINGLES, domains=(ABOVE_ZERO,), label="SciPy's"),
    Case("exp2", special.exp2, SINGLES, label="SciPy's"),
    Case("expm1", special.expm1, SINGLES, complex_step=True, label="SciPy's"),
    Case("log1p", special.log1p, SINGLES, domains=((-0.6, 2.0),), label="SciPy's"),
    _one(special.exp10),
    _one(special.exprel),
    _one(special.exprel, -1e-3, 1e-3, label="around 0"),
    _one(special.exprel, -20.0, 10.0, label="far"),
    _one(special.cosm1),
    *(_one(f, -200.0, 200.0) for f in (special.sindg, special.cosdg)),
    *(_one(f, 20.0, 70.0) for f in (special.tandg, special.cotdg)),
    Case("special.radian", special.radian, (((3,), (3,), (3,)), ((2, 1), (), (1, 3)))),
    _two(special.boxcox, ABOVE_ZERO, (-2.0, 2.0)),
    Case(
        "special.boxcox",
        lambda x: special.boxcox(x, np.array([0, 0.5, 1])),
        (((3,),), ((2, 3),), ((),)),
        domains=(ABOVE_ZERO,),
        label="0 among the exponents",
    ),
    _two(special.boxcox1p, (-0.6, 2.0), (-2.0, 2.0)),
    _two(special.inv_boxcox, (0.2, 1.0), (0.3, 2.0)),
    _two(special.inv_boxcox, (-0.3, 0.3), (-1.0, 1.0), label="around 0"),
    _two(special.inv_boxcox1p, (0.2, 1.0), (0.3, 2.0)),
    _two(special.powm1, ABOVE_ZERO, (-2.0, 2.0)),
    _one(special.wrightomega),
]
POLYNOMIALS = [
    *(
        _last(ufunc, n, domain=(0.1, 0.9) if "sh_" in ufunc.__name__ else (-0.9, 0.9))
        for ufunc in (
            *(special.eval_chebyt, special.eval_chebyu, special.eval_chebyc, special.eval_chebys),
            *(special.eval_legendre, special.eval_laguerre, special.eval_hermite),
            *(special.eval_hermitenorm, special.eval_sh_legendre, special.eval_sh_chebyt),
            special.eval_sh_chebyu,
        )
        for n in (0, 1, 4)
    ),
    *(_last(special.eval_genlaguerre, n, 0.5, domain=(-0.9, 0.9)) for n in (0, 1, 4)),
    *(_last(special.eval_gegenbauer, n, 0.5, domain=(-0.9, 0.9)) for n in (0, 1, 4)),
    *(_last(special.eval_jacobi, n, 0.5, 1.5, domain=(-0.9, 0.9)) for n in (0, 1, 4)),
    Case(
        "special.eval_legendre",
        lambda x: special.eval_legendre(np.array([0, 1, 3]), x),
        (((3,),), ((2, 3),), ((),)),
        domains=((-0.9, 0.9),),
        label="degrees in an array",
    ),
]


def _result(primitive, ufunc, i, *domain):
    return Case(f"special.{primitive}", lambda x: ufunc(x)[i], SINGLES, domains=(domain,))


INTEGRALS = [
    _one(special.ellipk, -0.8, 0.8),
    _one(special.ellipe, -0.8, 0.8),
    _one(special.spence, 0.2, 3.0),
    _result("si", special.sici, 0, -3.0, 3.0),
    _result("ci", special.sici, 1, *ABOVE_ZERO),
    _result("shi", special.shichi, 0, -3.0, 3.0),
    _result("chi", special.shichi, 1, *ABOVE_ZERO),
    _result("fresnels", special.fresnel, 0, -2.0, 2.0),
    _result("fresnelc", special.fresnel, 1, -2.0, 2.0),
    *(
        _result(f"airy_{name}", special.airy, i, -3.0, 2.0)
        for i, name in enumerate(("ai", "aip", "bi", "bip"))
    ),
]
CASES = [
    *POLYNOMIALS,
    *INTEGRALS,
    *ERRORS,
    *GAMMA,
    *INCOMPLETE,
    *BESSEL,
    *ENTROPY,
    *HYPERGEOMETRIC,
    *SIMPLE,
]
