//go:build long

package kernel

// Under the build tag long the float32 functions are swept over every bit pattern (about a minute a function and set) and
// the float64 ones over a hundred times as many points:
//
//	go test -tags long -run Accuracy -v -timeout 60m ./internal/kernel
func init() {
	stride32 = 1
	count64 = 70000
}
