//go:build native && cgo && !noxsmm

package native

// #cgo LDFLAGS: -lxsmm -lxsmmnoblas -lpthread
import "C"
