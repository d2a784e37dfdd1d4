//go:build !amd64 || noasm

package kernel

const (
	hasAssembly  = false
	assemblyName = "none"
)
