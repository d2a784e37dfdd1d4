//go:build native && cgo && (nodnnl || noxsmm)

// The libraries that a build tag has left out. The other one's definition wins over the weak one here.
#include "library.hpp"

namespace {

struct LeftOut : Library {
  std::string name;
  explicit LeftOut(const char *name) : name(name) {}
  std::string missing() override { return name + " was left out by a build tag"; }
  std::string version() override { return ""; }
  std::vector<Way> ways(const Layer &, const std::vector<Set> &, std::string &) override { return {}; }
};

} // namespace

__attribute__((weak)) Library *onednn() {
  static LeftOut l("onednn");
  return &l;
}

__attribute__((weak)) Library *libxsmm() {
  static LeftOut l("libxsmm");
  return &l;
}
