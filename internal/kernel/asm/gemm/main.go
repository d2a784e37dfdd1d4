// Command gemm generates the micro-kernels of package kernel's matrix products for amd64: with AVX2 and FMA, or with -wide those
// with AVX-512. `make gen` runs it.
package main

//go:generate go run . -out ../../gemm_amd64.s -stubs ../../gemm_amd64.go -pkg kernel -layout ../../gemm_layout_amd64.go
//go:generate go run . -wide -out ../../gemm_wide_amd64.s -stubs ../../gemm_wide_amd64.go -pkg kernel

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	layoutPath := flag.String("layout", "", "Go `file` for the struct offsets the assembly relies on")
	wide := flag.Bool("wide", false, "the kernels with AVX-512")
	ConstraintExpr("!noasm")
	flag.Parse()
	if *wide {
		for _, e := range []*wideElement{&wideFloat32, &wideFloat64} {
			e.gemm()
			e.dots()
			e.transpose()
			e.peak()
		}
		copyWidePanels()
		Generate()
		return
	}
	for _, e := range []*element{&float32Element, &float64Element} {
		e.gemm()
		e.dots()
		e.transpose()
		e.peak()
	}
	copyPanels()
	if *layoutPath != "" {
		if err := writeLayout(*layoutPath); err != nil {
			log.Fatal(err)
		}
	}
	Generate()
}
