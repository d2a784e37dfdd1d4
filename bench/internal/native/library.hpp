// What the files of this package share. A library offers ways to compute a layer; the quickest one is raced.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

enum class Op { fwd, infer, dx, dw };

struct Layer {
  int m, k, n;
  Op op;
  std::string act;
  double alpha;
  int threads;
  bool single; // float32, else float64
  // of the product: the result is rows × cols, sums are over inner
  int rows() const { return op == Op::dw ? k : m; }
  int inner() const { return op == Op::dx ? n : op == Op::dw ? m : k; }
  int cols() const { return op == Op::dx ? k : n; }
};

// One set of operands, as in the Go package: see its struct operands.
struct Set {
  void *a, *b, *c, *bias, *saved;
};

struct Way {
  std::string name;
  std::function<void(int set)> once;
};

struct Library {
  virtual ~Library() {}
  virtual std::string missing() { return ""; } // or what to do about it
  virtual std::string version() = 0;
  // the ways to compute the layer, or none and the reason in why
  virtual std::vector<Way> ways(const Layer &l, const std::vector<Set> &sets, std::string &why) = 0;
};

Library *onednn();
Library *openblas();
Library *blis();
Library *libxsmm();

// finish adds the bias and applies the activation, or multiplies by its derivative, in one pass over the result: what a
// program does behind a library that has products only.
void finish(const Layer &l, const Set &s);
