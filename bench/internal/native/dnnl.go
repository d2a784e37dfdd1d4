//go:build native && cgo && !nodnnl

package native

// #cgo LDFLAGS: -ldnnl
import "C"
