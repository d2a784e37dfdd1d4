//go:build long

package kernel

// Every size, for testEverySize.
var depths = func() (k []int) {
	for i := range 67 {
		k = append(k, i+1)
	}
	return k
}()

const step = 1
