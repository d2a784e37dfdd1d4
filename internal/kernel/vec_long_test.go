//go:build long

package kernel

// Under the build tag long the float32 functions are swept over every bit pattern (two minutes a function, for all sets),
// the activations over every 61st, and the float64 functions over a hundred times as many points:
//
//	go test -tags long -run Accuracy -v -timeout 60m ./internal/kernel
func init() {
	stride32 = 1
	actStride32 = 61
	count64 = 70000
}
