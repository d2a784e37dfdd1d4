//go:build !native || !cgo

package native

// A Job is a layer that a library is ready to compute.
type Job struct{}

// Missing says what a library lacks, or nothing.
func Missing(string) string { return errMissing.Error() }

// Versions describes the libraries.
func Versions() string { return "" }

// Prepare readies a library for a layer, on all sets of buffers.
func Prepare[T float32 | float64](string, Layer, []Buffers[T]) (*Job, error) { return nil, errMissing }

// How names what is called.
func (*Job) How() string { return "" }

// Run does n operations, each on the next set.
func (*Job) Run(int) {}

// Close frees what Prepare took.
func (*Job) Close() {}
