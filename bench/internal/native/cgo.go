//go:build native && cgo

package native

/*
#cgo CXXFLAGS: -std=c++17 -O3 -march=native
#cgo LDFLAGS: -ldl -lm
#include <stdlib.h>
#include "job.h"
*/
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

// A Job is a layer that a library is ready to compute.
type Job struct {
	job    *C.job
	pinned runtime.Pinner
}

// Missing says what a library lacks, or nothing.
func Missing(name string) string {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return C.GoString(C.job_missing(s))
}

// Versions describes the libraries.
func Versions() string { return C.GoString(C.job_versions()) }

// Prepare readies a library for a layer, on all sets of buffers.
func Prepare[T float32 | float64](name string, l Layer, sets []Buffers[T]) (*Job, error) {
	if why := Missing(name); why != "" {
		return nil, errors.New(why)
	}
	cName, cOp, cAct := C.CString(name), C.CString(l.Op), C.CString(l.Act)
	defer C.free(unsafe.Pointer(cName))
	defer C.free(unsafe.Pointer(cOp))
	defer C.free(unsafe.Pointer(cAct))
	var zero T
	j := &Job{}
	c := C.job_new(cName, C.int(unsafe.Sizeof(zero)), C.int(l.M), C.int(l.K), C.int(l.N), cOp, cAct, C.double(l.Alpha), C.int(l.Threads))
	if c == nil {
		return nil, errors.New("no such kernel")
	}
	j.job = c
	for _, s := range sets {
		C.job_add(c, keep(j, s.A), keep(j, s.B), keep(j, s.C), keep(j, s.Bias), keep(j, s.Saved))
	}
	if why := C.job_ready(c); *why != 0 {
		err := errors.New(C.GoString(why))
		j.Close()
		return nil, err
	}
	return j, nil
}

// keep lets C hold on to a slice.
func keep[T float32 | float64](j *Job, s []T) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	j.pinned.Pin(&s[0])
	return unsafe.Pointer(&s[0])
}

// How names what is called.
func (j *Job) How() string { return C.GoString(C.job_how(j.job)) }

// Run does n operations, each on the next set.
func (j *Job) Run(n int) { C.job_run(j.job, C.long(n)) }

// Close frees what Prepare took.
func (j *Job) Close() {
	C.job_free(j.job)
	j.pinned.Unpin()
}
