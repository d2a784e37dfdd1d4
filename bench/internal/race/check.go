package race

import (
	"fmt"
	"math"

	"github.com/tapir-ml/tapir/internal/kernel"
)

// samples is how many elements of a result are computed again in float64.
const samples = 2000

// exact is an element of the result as it should be, and the largest error that any order of summation may make.
func exact[T kernel.Float](c Case, o *operands[T], i, j int) (want, bound float64) {
	_, inner, cols := c.product()
	var sum, size float64
	for k := range inner {
		a, b := o.at(c, i, k, j)
		sum += a * b
		size += math.Abs(a * b)
	}
	if o.bias != nil {
		sum += float64(o.bias[j])
		size += math.Abs(float64(o.bias[j]))
	}
	eps := epsilon[T]()
	bound = 4 * float64(inner+1) * eps * size
	act := c.act()
	switch {
	case act == kernel.ActIdentity:
		return sum, bound
	case c.Op == GradX:
		s := slope(act, float64(o.saved[i*cols+j]))
		return sum * s, bound*math.Abs(s) + math.Abs(sum)*64*eps
	default: // the steepest slope near sum, and the error of the activation itself
		y := activation(act, sum)
		steep := 2.0
		if act == kernel.ActExp {
			steep = 2 * y
		}
		return y, steep*bound + 64*eps*(1+math.Abs(y))
	}
}

func epsilon[T kernel.Float]() float64 {
	var zero T
	if _, double := any(zero).(float64); double {
		return 0x1p-53
	}
	return 0x1p-24
}

// check compares a result with the exact one: all of it if it is small, else its corners and elements all over it.
func check[T kernel.Float](c Case, o *operands[T], got []T) error {
	rows, _, cols := c.product()
	n := rows * cols
	step := 1
	if n > samples {
		step = n/samples | 1
		for step%cols == 0 {
			step += 2
		}
	}
	test := func(at int) error {
		i, j := at/cols, at%cols
		want, bound := exact(c, o, i, j)
		if d := math.Abs(float64(got[at]) - want); !(d <= bound) {
			return fmt.Errorf("element (%d,%d) is %v, want %v within %.2g", i, j, got[at], want, bound)
		}
		return nil
	}
	for at := 0; at < n; at += step {
		if err := test(at); err != nil {
			return err
		}
	}
	for _, at := range []int{cols - 1, n - cols, n - 1} {
		if err := test(at); err != nil {
			return err
		}
	}
	return nil
}

// agree compares every element of two results of the same case, with a bound that holds for all of them.
func agree[T kernel.Float](c Case, o *operands[T], x, y []T) error {
	_, inner, cols := c.product()
	size := float64(inner) * (largest(o.a)*largest(o.b) + largest(o.bias))
	for at := range x {
		u, v := float64(x[at]), float64(y[at])
		bound := 16 * float64(inner+1) * epsilon[T]() * (1 + size) * (1 + math.Abs(u))
		if d := math.Abs(u - v); !(d <= bound) {
			return fmt.Errorf("element (%d,%d) is %v, but %s has %v", at/cols, at%cols, v, Tapir, u)
		}
	}
	return nil
}

func largest[T kernel.Float](x []T) (m float64) {
	for _, v := range x {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}
