//go:build goexperiment.simd

package main

const how = "GOEXPERIMENT=simd"
