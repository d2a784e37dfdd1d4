//go:build native && cgo && !nodnnl

#if !__has_include(<dnnl.hpp>)
#error "oneDNN is missing: apt-get install libdnnl-dev, or build without it: -tags native,nodnnl"
#endif

#include "library.hpp"
#include <dlfcn.h>
#include <dnnl.hpp>
#include <map>

using namespace dnnl;
typedef memory::format_tag tag;

namespace {

const auto f32 = memory::data_type::f32;

// The primitive and, for each set, its arguments as the C interface takes them: the C++ one builds a list at every call.
struct Prepared {
  primitive run;
  std::vector<std::vector<dnnl_exec_arg_t>> args;
  std::vector<memory> kept;
};

struct Dnnl : Library {
  engine cpu;
  stream queue;
  std::map<std::string, algorithm> acts;

  Dnnl() : cpu(engine::kind::cpu, 0), queue(cpu) {
    acts = {{"relu", algorithm::eltwise_relu},       {"leakyrelu", algorithm::eltwise_relu},
            {"elu", algorithm::eltwise_elu},         {"tanh", algorithm::eltwise_tanh},
            {"sigmoid", algorithm::eltwise_logistic}, {"softplus", algorithm::eltwise_soft_relu},
            {"swish", algorithm::eltwise_swish},     {"gelu", algorithm::eltwise_gelu_erf},
            {"gelutanh", algorithm::eltwise_gelu_tanh}, {"exp", algorithm::eltwise_exp}};
  }

  std::string version() override {
    const dnnl_version_t *v = dnnl_version();
    return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }

  primitive_attr attributes(const Layer &l) {
    primitive_attr attr;
    if (l.act == "identity" || l.op == Op::dx) return attr;
    post_ops ops;
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(acts[l.act], l.act == "softplus" ? 1 : l.alpha, 0);
#else
    ops.append_eltwise(1, acts[l.act], l.alpha, 0);
#endif
    attr.set_post_ops(ops);
    return attr;
  }

  // In the layout the primitive wants: the library's own, if it was free to choose.
  memory laid_out(const memory::desc &want, const memory::desc &have, void *data) {
    memory from(have, cpu, data);
    if (want == have) return from;
    memory to(want, cpu);
    reorder(from, to).execute(queue, from, to);
    queue.wait();
    return to;
  }

  Way way(const std::string &name, std::shared_ptr<Prepared> p) {
    return {name, [this, p](int i) {
              auto &args = p->args[i];
              dnnl_primitive_execute(p->run.get(), queue.get(), args.size(), args.data());
            }};
  }

  // The product as the matmul primitive: any layout is a tag.
  Way product(const Layer &l, const std::vector<Set> &sets, bool laid) {
    const auto a_tag = l.op == Op::dw ? tag::ba : tag::ab, b_tag = l.op == Op::dx ? tag::ba : tag::ab;
    memory::desc a({l.rows(), l.inner()}, f32, a_tag), b({l.inner(), l.cols()}, f32, b_tag), c({l.rows(), l.cols()}, f32, tag::ab);
    memory::desc bias({1, l.cols()}, f32, tag::ab), any({l.inner(), l.cols()}, f32, tag::any);
    const bool biased = sets[0].bias;
    auto attr = attributes(l);
#if DNNL_VERSION_MAJOR >= 3
    auto made = biased ? matmul::primitive_desc(cpu, a, laid ? any : b, bias, c, attr) : matmul::primitive_desc(cpu, a, laid ? any : b, c, attr);
#else
    auto desc = biased ? matmul::desc(a, laid ? any : b, bias, c) : matmul::desc(a, laid ? any : b, c);
    auto made = matmul::primitive_desc(desc, attr, cpu);
#endif
    auto p = std::make_shared<Prepared>();
    p->run = matmul(made);
    for (const Set &s : sets) {
      memory am(a, cpu, s.a), bm = laid_out(made.weights_desc(), b, s.b), cm(c, cpu, s.c);
      std::vector<dnnl_exec_arg_t> args{{DNNL_ARG_SRC, am.get()}, {DNNL_ARG_WEIGHTS, bm.get()}, {DNNL_ARG_DST, cm.get()}};
      p->kept.insert(p->kept.end(), {am, bm, cm});
      if (biased) {
        memory v(bias, cpu, s.bias);
        args.push_back({DNNL_ARG_BIAS, v.get()});
        p->kept.push_back(v);
      }
      p->args.push_back(args);
    }
    return way(laid ? "matmul, own layout" : "matmul", p);
  }

  // The layer as the inner-product primitive, which is the library's own name for it.
  Way inner(const Layer &l, const std::vector<Set> &sets, bool laid) {
    memory::desc x({l.m, l.k}, f32, tag::ab), w({l.n, l.k}, f32, tag::ba), any({l.n, l.k}, f32, tag::any), bias({l.n}, f32, tag::a), y({l.m, l.n}, f32, tag::ab);
    auto attr = attributes(l);
#if DNNL_VERSION_MAJOR >= 3
    auto made = inner_product_forward::primitive_desc(cpu, prop_kind::forward_inference, x, laid ? any : w, bias, y, attr);
#else
    auto made = inner_product_forward::primitive_desc({prop_kind::forward_inference, x, laid ? any : w, bias, y}, attr, cpu);
#endif
    auto p = std::make_shared<Prepared>();
    p->run = inner_product_forward(made);
    for (const Set &s : sets) {
      memory xm(x, cpu, s.a), wm = laid_out(made.weights_desc(), w, s.b), bm(bias, cpu, s.bias), ym(y, cpu, s.c);
      p->kept.insert(p->kept.end(), {xm, wm, bm, ym});
      p->args.push_back({{DNNL_ARG_SRC, xm.get()}, {DNNL_ARG_WEIGHTS, wm.get()}, {DNNL_ARG_BIAS, bm.get()}, {DNNL_ARG_DST, ym.get()}});
    }
    return way(laid ? "inner product, own layout" : "inner product", p);
  }

  // The product through the library's BLAS-like call.
  Way sgemm(const Layer &l, const std::vector<Set> &sets) {
    const char ta = l.op == Op::dw ? 'T' : 'N', tb = l.op == Op::dx ? 'T' : 'N';
    const int lda = l.op == Op::dx ? l.n : l.k;
    return {"dnnl_sgemm", [=](int i) {
              const Set &s = sets[i];
              dnnl_sgemm(ta, tb, l.rows(), l.cols(), l.inner(), 1, (float *)s.a, lda, (float *)s.b, l.n, 0, (float *)s.c, l.cols());
            }};
  }

  // behind has the derivative follow each way.
  void behind(const Layer &l, const std::vector<Set> &sets, std::vector<Way> &ways) {
    for (Way &w : ways) {
      auto first = w.once;
      w = {w.name + ", then a loop", [=](int i) {
             first(i);
             finish(l, sets[i]);
           }};
    }
  }

  std::vector<Way> ways(const Layer &l, const std::vector<Set> &sets, std::string &why) override {
    if (!l.single) {
      why = "oneDNN has no float64";
      return {};
    }
    if (l.op != Op::dx && l.act != "identity" && !acts.count(l.act)) {
      why = "oneDNN has no " + l.act;
      return {};
    }
    // The number of threads belongs to the calling thread, and a primitive is laid out for it when it is made.
    if (auto f = (void (*)(int))dlsym(RTLD_DEFAULT, "omp_set_num_threads")) f(l.threads);
    std::vector<Way> all;
    auto offer = [&](std::function<Way()> make) {
      try {
        all.push_back(make());
      } catch (const error &e) {
        why = std::string("oneDNN: ") + e.what();
      }
    };
    offer([&] { return product(l, sets, l.op == Op::infer); });
    if (l.op == Op::fwd || l.op == Op::infer) offer([&] { return inner(l, sets, l.op == Op::infer); });
    else offer([&] { return sgemm(l, sets); });
    if (!all.empty()) why.clear();
    if (l.op == Op::dx && l.act != "identity") behind(l, sets, all);
    return all;
  }
};

} // namespace

Library *onednn() {
  static Dnnl d;
  return &d;
}
