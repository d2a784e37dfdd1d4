// Package native calls the products of libraries written in C and C++, for comparison: oneDNN, OpenBLAS, BLIS and libxsmm. Only
// the build tag native brings them in, together with cgo; without it they are all missing.
package native

import "errors"

// Names are the libraries.
var Names = []string{"onednn", "openblas", "blis", "libxsmm"}

// Install says how to get them, where the packages have Debian's names.
const Install = "apt-get install g++ libdnnl-dev libopenblas-dev libblis-dev libxsmm-dev, then build with -tags native"

var errMissing = errors.New(Install)

// A Layer is an affine layer of the sizes M, K, N, and what is computed of it: fwd, infer, dx or dw.
type Layer struct {
	M, K, N int
	Op, Act string
	Alpha   float64
	Threads int
}

// Buffers is one set of operands, of either element type.
type Buffers[T float32 | float64] struct{ A, B, C, Bias, Saved []T }
