//go:build native && cgo

// OpenBLAS and BLIS export the same names, so each is loaded with a name space of its own.
#include "library.hpp"
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

namespace {

enum { row_major = 101, plain = 111, transposed = 112 };
template <class T> using Gemm = void (*)(int, int, int, int, int, int, T, const T *, int, const T *, int, T, T *, int);
template <class T> using Gemv = void (*)(int, int, int, int, T, const T *, int, const T *, int, T, T *, int);

struct Blas : Library {
  std::string name, package;
  void *so = nullptr;

  Blas(const char *name, std::vector<const char *> files, const char *package) : name(name), package(package) {
    setenv("OPENBLAS_THREAD_TIMEOUT", "20", 0); // idle workers spin for 2^20 cycles, not 2^26, and then leave the core to the next peer
    for (const char *f : files)
      if (!so) so = dlopen(f, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
  }
  template <class F> F symbol(const char *s) { return (F)dlsym(so, s); }

  std::string missing() override { return so ? "" : "apt-get install " + package; }

  std::string version() override {
    if (auto f = symbol<char *(*)()>("openblas_get_config")) return f();
    if (auto f = symbol<const char *(*)()>("bli_info_get_version_str")) return std::string("BLIS ") + f();
    return name;
  }

  void set_threads(int n) {
    if (auto f = symbol<void (*)(int)>("openblas_set_num_threads")) f(n);
    if (auto f = symbol<void (*)(int64_t)>("bli_thread_set_num_threads")) f(n);
  }

  template <class T> std::vector<Way> typed(const Layer &l, const std::vector<Set> &sets, const char *gemm_name, const char *gemv_name) {
    auto gemm = symbol<Gemm<T>>(gemm_name);
    auto gemv = symbol<Gemv<T>>(gemv_name);
    std::string behind = l.op == Op::dw || (l.op == Op::dx && l.act == "identity") ? "" : ", then a loop";
    std::vector<Way> ways;
    const int ta = l.op == Op::dw ? transposed : plain, tb = l.op == Op::dx ? transposed : plain;
    const int lda = l.op == Op::dx ? l.n : l.k;
    ways.push_back({std::string(gemm_name) + behind, [=](int i) {
                      const Set &s = sets[i];
                      gemm(row_major, ta, tb, l.rows(), l.cols(), l.inner(), 1, (T *)s.a, lda, (T *)s.b, l.n, 0, (T *)s.c, l.cols());
                      finish(l, s);
                    }});
    if (l.m == 1 && l.op != Op::dw)
      ways.push_back({std::string(gemv_name) + behind, [=](int i) {
                        const Set &s = sets[i];
                        gemv(row_major, l.op == Op::dx ? plain : transposed, l.k, l.n, 1, (T *)s.b, l.n, (T *)s.a, 1, 0, (T *)s.c, 1);
                        finish(l, s);
                      }});
    return ways;
  }

  std::vector<Way> ways(const Layer &l, const std::vector<Set> &sets, std::string &) override {
    set_threads(l.threads);
    return l.single ? typed<float>(l, sets, "cblas_sgemm", "cblas_sgemv") : typed<double>(l, sets, "cblas_dgemm", "cblas_dgemv");
  }
};

} // namespace

Library *openblas() {
  static Blas b("openblas", {"libopenblas.so.0", "libopenblas.so"}, "libopenblas-dev");
  return &b;
}

Library *blis() {
  static Blas b("blis", {"libblis.so.4", "libblis.so"}, "libblis-dev");
  return &b;
}
