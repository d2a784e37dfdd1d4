//go:build native && cgo

#include "library.hpp"
#include <cmath>

// each sets y = f(y + bias).
template <class T, class F> static void each(const Layer &l, const Set &s, F f) {
  T *y = (T *)s.c;
  const T *bias = (const T *)s.bias;
  const int cols = l.cols();
  for (int i = 0; i < l.rows(); i++, y += cols)
    for (int j = 0; j < cols; j++) y[j] = f(y[j] + bias[j]);
}

// scaled sets y = y·f(saved).
template <class T, class F> static void scaled(const Layer &l, const Set &s, F f) {
  T *y = (T *)s.c;
  const T *saved = (const T *)s.saved;
  const long n = (long)l.rows() * l.cols();
  for (long i = 0; i < n; i++) y[i] *= f(saved[i]);
}

static const double selu_scale = 1.0507009873554804934, selu_alpha = 1.6732632423543772848;
static const double gelu_scale = 0.79788456080286535588, gelu_cube = 0.044715;

template <class T> static void forward(const Layer &l, const Set &s) {
  const T one = 1, half = 0.5, zero = 0, alpha = l.alpha;
  const std::string &a = l.act;
  if (a == "identity") each<T>(l, s, [](T z) { return z; });
  else if (a == "relu") each<T>(l, s, [=](T z) { return z > zero ? z : zero; });
  else if (a == "leakyrelu") each<T>(l, s, [=](T z) { return z > zero ? z : alpha * z; });
  else if (a == "elu") each<T>(l, s, [=](T z) { return z > zero ? z : alpha * std::expm1(z); });
  else if (a == "selu") each<T>(l, s, [=](T z) { return T(selu_scale) * (z > zero ? z : T(selu_alpha) * std::expm1(z)); });
  else if (a == "tanh") each<T>(l, s, [](T z) { return std::tanh(z); });
  else if (a == "sigmoid") each<T>(l, s, [=](T z) { return one / (one + std::exp(-z)); });
  else if (a == "softplus") each<T>(l, s, [=](T z) { return (z > zero ? z : zero) + std::log1p(std::exp(-std::fabs(z))); });
  else if (a == "swish") each<T>(l, s, [=](T z) { return z / (one + std::exp(-alpha * z)); });
  else if (a == "gelu") each<T>(l, s, [=](T z) { return half * z * (one + std::erf(z * T(M_SQRT1_2))); });
  else if (a == "gelutanh") each<T>(l, s, [=](T z) { return half * z * (one + std::tanh(T(gelu_scale) * (z + T(gelu_cube) * z * z * z))); });
  else if (a == "exp") each<T>(l, s, [](T z) { return std::exp(z); });
}

template <class T> static void backward(const Layer &l, const Set &s) {
  const T one = 1, half = 0.5, zero = 0, alpha = l.alpha;
  const std::string &a = l.act;
  if (a == "relu") scaled<T>(l, s, [=](T y) { return y > zero ? one : zero; });
  else if (a == "leakyrelu") scaled<T>(l, s, [=](T y) { return y > zero ? one : alpha; });
  else if (a == "elu") scaled<T>(l, s, [=](T y) { return y > zero ? one : y + alpha; });
  else if (a == "selu") scaled<T>(l, s, [=](T y) { return y > zero ? T(selu_scale) : y + T(selu_scale * selu_alpha); });
  else if (a == "tanh") scaled<T>(l, s, [=](T y) { return one - y * y; });
  else if (a == "sigmoid") scaled<T>(l, s, [=](T y) { return y * (one - y); });
  else if (a == "softplus") scaled<T>(l, s, [](T y) { return -std::expm1(-y); });
  else if (a == "swish") scaled<T>(l, s, [=](T z) { T g = one / (one + std::exp(-alpha * z)); return g + alpha * z * g * (one - g); });
  else if (a == "gelu") scaled<T>(l, s, [=](T z) {
    return half * (one + std::erf(z * T(M_SQRT1_2))) + z * std::exp(-half * z * z) * T(M_2_SQRTPI * M_SQRT1_2 / 2); });
  else if (a == "gelutanh") scaled<T>(l, s, [=](T z) {
    T t = std::tanh(T(gelu_scale) * (z + T(gelu_cube) * z * z * z));
    return half * (one + t) + half * z * (one - t * t) * T(gelu_scale) * (one + T(3 * gelu_cube) * z * z); });
  else if (a == "exp") scaled<T>(l, s, [](T y) { return y; });
}

void finish(const Layer &l, const Set &s) {
  if (s.saved) l.single ? backward<float>(l, s) : backward<double>(l, s);
  else if (s.bias) l.single ? forward<float>(l, s) : forward<double>(l, s);
}
