//go:build native && cgo && !noxsmm

#if !__has_include(<libxsmm.h>)
#error "libxsmm is missing: apt-get install libxsmm-dev, or build without it: -tags native,noxsmm"
#endif

#include "library.hpp"
#include <libxsmm.h>

namespace {

template <class T> struct Kernel;
template <> struct Kernel<float> {
  typedef libxsmm_smmfunction type;
  static constexpr auto dispatch = libxsmm_smmdispatch;
};
template <> struct Kernel<double> {
  typedef libxsmm_dmmfunction type;
  static constexpr auto dispatch = libxsmm_dmmdispatch;
};

struct Xsmm : Library {
  Xsmm() { libxsmm_init(); }
  std::string version() override { return "libxsmm " LIBXSMM_VERSION; }

  // A kernel is made at run time for the very sizes. It is column-major, so the row-major result comes as Cᵀ = Bᵀ·Aᵀ, and each
  // matrix that lies row by row is already the transpose.
  template <class T> std::vector<Way> typed(const Layer &l, const std::vector<Set> &sets, std::string &why) {
    int lda = l.n, ldb = l.op == Op::dx ? l.n : l.k, ldc = l.cols(), flags = LIBXSMM_GEMM_FLAG_NONE;
    if (l.op == Op::dx) flags = LIBXSMM_GEMM_FLAG_TRANS_A;
    if (l.op == Op::dw) flags = LIBXSMM_GEMM_FLAG_TRANS_B;
    const T one = 1, zero = 0;
    const int no_prefetch = LIBXSMM_PREFETCH_NONE;
    typename Kernel<T>::type f = Kernel<T>::dispatch(l.cols(), l.rows(), l.inner(), &lda, &ldb, &ldc, &one, &zero, &flags, &no_prefetch);
    if (!f) {
      why = "libxsmm makes no such kernel";
      return {};
    }
    return {{"kernel made for the sizes", [=](int i) {
               const Set &s = sets[i];
               f((const T *)s.b, (const T *)s.a, (T *)s.c);
               finish(l, s);
             }}};
  }

  std::vector<Way> ways(const Layer &l, const std::vector<Set> &sets, std::string &why) override {
    if (l.threads > 1 || (double)l.m * l.k * l.n > 512. * 512 * 512) {
      why = "libxsmm is for small products on one thread";
      return {};
    }
    return l.single ? typed<float>(l, sets, why) : typed<double>(l, sets, why);
  }
};

} // namespace

Library *libxsmm() {
  static Xsmm x;
  return &x;
}
