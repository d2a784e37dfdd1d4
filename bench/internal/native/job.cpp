//go:build native && cgo

#include "job.h"
#include "library.hpp"
#include <algorithm>
#include <chrono>
#include <string.h>

struct job {
  Library *library;
  Layer layer;
  std::vector<Set> sets;
  Way way;
  std::string why;
  size_t at = 0;
};

static Library *find(const char *name) {
  if (!strcmp(name, "onednn")) return onednn();
  if (!strcmp(name, "openblas")) return openblas();
  if (!strcmp(name, "blis")) return blis();
  if (!strcmp(name, "libxsmm")) return libxsmm();
  return nullptr;
}

extern "C" const char *job_missing(const char *name) {
  static std::string why;
  Library *l = find(name);
  why = l ? l->missing() : "no such library";
  return why.c_str();
}

extern "C" const char *job_versions() {
  static std::string all;
  all.clear();
  for (Library *l : {onednn(), openblas(), blis(), libxsmm()})
    if (l->missing().empty()) all += (all.empty() ? "" : ", ") + l->version();
  return all.c_str();
}

extern "C" job *job_new(const char *name, int size, int m, int k, int n, const char *op, const char *act, double alpha, int threads) {
  Library *library = find(name);
  if (!library) return nullptr;
  Op o = !strcmp(op, "dx") ? Op::dx : !strcmp(op, "dw") ? Op::dw : !strcmp(op, "infer") ? Op::infer : Op::fwd;
  return new job{library, {m, k, n, o, act, alpha, threads, size == 4}, {}, {}, {}};
}

extern "C" void job_add(job *j, void *a, void *b, void *c, void *bias, void *saved) { j->sets.push_back({a, b, c, bias, saved}); }

extern "C" void job_run(job *j, long n) {
  for (; n > 0; n--) {
    j->way.once(j->at);
    if (++j->at == j->sets.size()) j->at = 0;
  }
}

// Of several ways, the quickest is raced: the fastest of a few passes over all sets counts, of about a tenth of a second.
extern "C" const char *job_ready(job *j) {
  auto ways = j->library->ways(j->layer, j->sets, j->why);
  double best = 0;
  for (auto &w : ways) {
    double least = 0, spent = 0;
    j->at = 0;
    std::swap(j->way, w);
    job_run(j, j->sets.size());
    for (int pass = 0; ways.size() > 1 && pass < 100 && spent < 0.1; pass++) {
      auto start = std::chrono::steady_clock::now();
      job_run(j, 2 * j->sets.size());
      std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      spent += took.count();
      if (pass == 0 || took.count() < least) least = took.count();
    }
    if (&w == &ways.front() || least < best)
      best = least; // keep it
    else
      std::swap(j->way, w);
  }
  if (ways.empty() && j->why.empty()) j->why = "not offered";
  return j->why.c_str();
}

extern "C" const char *job_how(job *j) { return j->way.name.c_str(); }

extern "C" void job_free(job *j) { delete j; }
