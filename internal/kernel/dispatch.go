package kernel

import "os"

// The sets of kernels in use, fixed at start-up by what the processor has (see cpu_amd64.go and cpu_arm64.go) and by
// TAPIR_KERNEL in the environment, which may ask for less: "portable", or the name of a set. The build tag noasm leaves
// only the portable one. Only tests change them later, through use.
var (
	accelerated bool // the assembly kernels
	wide        bool // and of those, the ones with registers twice as wide, where there are such
)

func init() {
	asked := os.Getenv("TAPIR_KERNEL")
	use(asked != "portable", asked != "portable" && asked != assemblyName)
}

// use puts sets of kernels into use, as far as this processor has them.
func use(assembly, widest bool) {
	accelerated = assembly && hasAssembly
	wide = widest && accelerated && hasWide
	useVec()
}

// Set names the kernels in use: "avx512", "avx2", "neon" or "portable".
func Set() string {
	switch {
	case wide:
		return wideName
	case accelerated:
		return assemblyName
	}
	return "portable"
}
