//go:build !(amd64 || arm64) || noasm

package kernel

const (
	hasAssembly  = false
	assemblyName = "none"
	hasWide      = false
	wideName     = "none"
)
