//go:build !amd64 || noasm

package kernel

// useVec puts the portable kernels into the tables: there are no others here.
func useVec() {
	vec32, vec64, philoxWords = portableVec[float32](), portableVec[float64](), philoxWordsPortable
}
